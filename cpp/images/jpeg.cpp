#include "images/jpeg.h"

#if defined(CRITMAP_JPEG)

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <new>
#include <string>
#include <vector>

#include "images/colour.h"
// After stdio.h, which it needs and does not include.
#include <jerror.h>
#include <jpeglib.h>

namespace critmap {
namespace {

#define CRITMAP_TEXT(x) #x
#define CRITMAP_TEXT_OF(x) CRITMAP_TEXT(x)
constexpr const char* library = "libjpeg-turbo " CRITMAP_TEXT_OF(LIBJPEG_TURBO_VERSION);

// Progressive files have as many scans as they like, each a pass over the whole picture; real ones have about
// ten. The second is of scans times pixels: some seconds of work.
constexpr int most_scans = 500;
constexpr double most_scanned = 4e9;
// Progressive files are held as coefficients.
constexpr long most_memory = 1L << 30;

// libjpeg is C and leaves by longjmp: between `setjmp` and the library's functions no destructor may be due,
// so every call is a method of its own.
class Decoder {
 public:
  explicit Decoder(std::span<const uint8_t> file) : file_(file) {
    state_.err = jpeg_std_error(&errors_);
    state_.client_data = this;
    errors_.error_exit = [](j_common_ptr state) {
      // What it cannot hold it would keep on disk, which Debian's library has no code for.
      const bool too_large = state->err->msg_code == JERR_NO_BACKING_STORE;
      fail(state, too_large ? "it is too large for a progressive JPEG" : nullptr);
    };
    errors_.output_message = [](j_common_ptr) {};
    progress_.progress_monitor = [](j_common_ptr state) {
      const auto* const file = reinterpret_cast<j_decompress_ptr>(state);
      const int scans = file->input_scan_number;
      if (scans > most_scans || double(scans) * file->image_width * file->image_height > most_scanned) {
        fail(state, "it has too many scans");
      }
    };
    source_.init_source = source_.term_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = [](j_decompress_ptr state) -> boolean { ends_early(state); };
    source_.skip_input_data = [](j_decompress_ptr state, long count) {
      if (count <= 0) return;
      if (size_t(count) > state->src->bytes_in_buffer) ends_early(state);
      state->src->next_input_byte += count;
      state->src->bytes_in_buffer -= size_t(count);
    };
    source_.resync_to_restart = jpeg_resync_to_restart;
  }
  ~Decoder() { jpeg_destroy_decompress(&state_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  void read_header() {
    if (setjmp(jump_)) give_up();
    jpeg_create_decompress(&state_);
    state_.mem->max_memory_to_use = most_memory;
    state_.progress = &progress_;
    source_.next_input_byte = file_.data();
    source_.bytes_in_buffer = file_.size();
    state_.src = &source_;
    jpeg_read_header(&state_, TRUE);
  }
  void start(J_COLOR_SPACE colours) {
    if (setjmp(jump_)) give_up();
    state_.out_color_space = colours;
    jpeg_start_decompress(&state_);
  }
  void read_row(uint8_t* row) {
    if (setjmp(jump_)) give_up();
    jpeg_read_scanlines(&state_, &row, 1);
  }
  // To the marker at the end of the file, so that a file without it is refused.
  void finish() {
    if (setjmp(jump_)) give_up();
    jpeg_finish_decompress(&state_);
  }

  size_t height() const { return state_.image_height; }
  size_t width() const { return state_.image_width; }
  int components() const { return state_.num_components; }
  // Whether it is a sequential file in one scan, of which a few rows at a time are in memory.
  bool row_by_row() {
    if (setjmp(jump_)) give_up();
    const bool sequential = state_.Ss == 0 && state_.Se == DCTSIZE2 - 1 && state_.Ah == 0 && state_.Al == 0;
    return sequential && state_.data_precision == 8 && !jpeg_has_multiple_scans(&state_);
  }

 private:
  [[noreturn]] static void fail(j_common_ptr state, const char* reason) {
    Decoder& self = *static_cast<Decoder*>(state->client_data);
    if (reason) {
      snprintf(self.message_, sizeof(self.message_), "%s", reason);
    } else {
      state->err->format_message(state, self.message_);
    }
    longjmp(self.jump_, 1);
  }

  // After the jump.
  [[noreturn]] void give_up() const {
    // This machine's fault, not the file's.
    if (errors_.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    throw JpegError(message_);
  }

  [[noreturn]] static void ends_early(j_decompress_ptr state) {
    fail(reinterpret_cast<j_common_ptr>(state), "the file ends early");
  }

  std::span<const uint8_t> file_;
  jpeg_decompress_struct state_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  jpeg_source_mgr source_{};
  jmp_buf jump_;
  char message_[JMSG_LENGTH_MAX] = "";
};

// The rest of a file whose header has been read: its window's pixels.
void decode(Decoder& decoder, const Kernels& kernels, const Resize& resize, uint8_t* out) {
  const int components = decoder.components();
  if (components != 1 && components != 3 && components != 4) {
    throw JpegError("it has " + std::to_string(components) + " colour components");
  }
  decoder.start(components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK);

  Resize stored = resize;
  // Grey is resampled as grey and repeated afterwards.
  if (components == 1) stored.channels = 1;
  Resampler resampler(kernels, stored);
  const size_t width = decoder.width(), height = decoder.height();
  std::vector<uint8_t> row(width * size_t(components) + row_padding);
  for (size_t y = 0; y < height; y++) {
    decoder.read_row(row.data());
    if (y < resampler.first_row() || y >= resampler.end_row()) continue;
    if (components == 4) cmyk_to_rgb(row.data(), width, CmykInks::inverted);
    if (components != 1 && stored.channels == 1) rgb_to_grey(row.data(), width);
    resampler.add(row.data());
  }
  decoder.finish();
  resampler.finish(out);
  if (stored.channels != resize.channels) repeat_grey(out, resize.height * resize.width);
}

}  // namespace

const char* jpeg_library() { return library; }

void resample_jpeg(const Kernels& kernels, std::span<const uint8_t> file, const Resize& resize,
                   uint8_t* out) {
  Decoder decoder(file);
  decoder.read_header();
  if (decoder.width() != resize.from_width || decoder.height() != resize.from_height) {
    throw JpegError("its header gives two sizes");
  }
  decode(decoder, kernels, resize, out);
}

bool fit_jpeg(const Kernels& kernels, std::span<const uint8_t> file, const Fit& fit, size_t most_pixels,
              uint8_t* crop) {
  try {
    Decoder decoder(file);
    decoder.read_header();
    const size_t height = decoder.height(), width = decoder.width();
    if (!decoder.row_by_row() || height * width > most_pixels) return false;
    const Placement place = placement(height, width, fit);
    if (place.resize.height == fit.crop_height && place.resize.width == fit.crop_width) {
      decode(decoder, kernels, place.resize, crop);
    } else {
      std::vector<uint8_t> window(place.resize.height * place.resize.width * fit.channels);
      decode(decoder, kernels, place.resize, window.data());
      place_in_crop(window.data(), place, fit, crop);
    }
    return true;
  } catch (const JpegError&) {
    return false;
  } catch (const std::out_of_range&) {
    return false;
  }
}

}  // namespace critmap

#else

namespace critmap {

const char* jpeg_library() { return nullptr; }

void resample_jpeg(const Kernels&, std::span<const uint8_t>, const Resize&, uint8_t*) {
  throw JpegError("this build has no JPEG decoder");
}

bool fit_jpeg(const Kernels&, std::span<const uint8_t>, const Fit&, size_t, uint8_t*) { return false; }

}  // namespace critmap

#endif
