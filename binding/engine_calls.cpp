// The engine's calls: open, addConstant, addSession, load, execute, logits, cancel, close, stats. What each
// does is said in src/native/engine.ts.
#include <algorithm>

#include "arguments.h"
#include "calls.h"
#include "engine_devices.h"
#include "engine_handle.h"
#include "engine_program.h"
#include "environment.h"
#include "promise_worker.h"

namespace critmap::binding {
namespace {

constexpr size_t most_threads = 1024;

struct ExternalValue {
  std::string name;
  size_t constant;
  std::vector<int64_t> dims;
};

ExternalValue read_external(Napi::Value value, const std::string& name) {
  const Napi::Object fields = object(value, name.c_str());
  return {text(fields.Get("name"), name + ".name"), index_number(fields.Get("constant"), name + ".constant"),
          dimensions(fields.Get("dims"), name + ".dims")};
}

std::vector<ExternalValue> read_externals(Napi::Value value) {
  std::vector<ExternalValue> externals;
  if (value.IsUndefined()) return externals;
  const Napi::Array list = array(value, "externals");
  const uint32_t length = list.Length();
  for (uint32_t i = 0; i < length; i++) {
    externals.push_back(read_external(list.Get(i), "externals[" + std::to_string(i) + "]"));
  }
  return externals;
}

Engine::External find_external(Napi::Env env, const Engine& engine, ExternalValue asked, size_t index) {
  const std::string name = "externals[" + std::to_string(index) + "]";
  auto constant = engine.constant(asked.constant);
  if (!constant) throw_range(env, name + ".constant must be less than the number of constants");
  size_t length = 1;
  for (const int64_t dim : asked.dims) {
    // At most 2^53 - 1 each; stops before the product overflows.
    length = length > constant->values.size() ? length : length * std::min(size_t(dim), size_t(1) << 31);
  }
  if (length != constant->values.size()) {
    throw_range(env, name + ".dims must multiply to the " + std::to_string(constant->values.size()) +
                         " elements of the constant");
  }
  return {std::move(asked.name), std::move(constant), std::move(asked.dims)};
}

class SessionWorker : public PromiseWorker {
 public:
  SessionWorker(std::shared_ptr<Engine> engine, std::span<const uint8_t> model, std::string name,
                ort::Optimise optimise, ort::ConvolutionWeights weights,
                std::vector<Engine::External> externals)
      : engine_(std::move(engine)),
        model_(model.begin(), model.end()),
        name_(std::move(name)),
        optimise_(optimise),
        weights_(weights),
        externals_(std::move(externals)),
        index_(engine_->reserve_session()) {}

 protected:
  void execute() override {
    engine_->create_session(index_, std::move(name_), model_, optimise_, weights_, std::move(externals_));
    model_ = {};
  }
  napi_value finish(napi_env env) override {
    napi_value index;
    return napi_create_double(env, double(index_), &index) == napi_ok ? index : nullptr;
  }

 private:
  std::shared_ptr<Engine> engine_;
  std::vector<uint8_t> model_;
  std::string name_;
  ort::Optimise optimise_;
  ort::ConvolutionWeights weights_;
  std::vector<Engine::External> externals_;
  size_t index_;
};

class CloseWorker : public PromiseWorker {
 public:
  explicit CloseWorker(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}

 protected:
  void execute() override { engine_->close(); }
  napi_value finish(napi_env env) override {
    napi_value undefined;
    return napi_get_undefined(env, &undefined) == napi_ok ? undefined : nullptr;
  }

 private:
  std::shared_ptr<Engine> engine_;
};

// The images of a job for the program that the engine has; no cell is active, nothing labelled.
std::unique_ptr<Job> read_images(Napi::Env env, const EngineHandle& handle, Napi::Value images_value,
                                 Napi::Value count_value) {
  // Floats, or an object with pixels and their table.
  Napi::Value pixels_value, table_value;
  if (!images_value.IsTypedArray()) {
    if (images_value.Type() != napi_object) {
      throw_type(env, "images must be a Float32Array or an object with pixels and table");
    }
    pixels_value = images_value.As<Napi::Object>().Get("pixels");
    table_value = images_value.As<Napi::Object>().Get("table");
  }
  const size_t count = positive_integer(count_value, "count");
  const std::shared_ptr<const Program> program = handle.engine()->program();
  if (!program) throw Napi::Error::New(env, "no program is loaded");
  if (count > program->batch) {
    throw_range(env, "count must be at most the program's batch, " + std::to_string(program->batch));
  }
  const auto require_size = [&](size_t size, const char* name) {
    if (size == count * program->image_elements()) return;
    throw_range(env, std::string(name) + " must have count * " + std::to_string(program->image_elements()) +
                         " elements");
  };
  std::span<float> images, table;
  std::span<uint8_t> pixels;
  if (pixels_value.IsEmpty()) {
    images = elements<float>(images_value, "images");
    require_size(images.size(), "images");
  } else {
    pixels = elements<uint8_t>(pixels_value, "images.pixels");
    table = elements<float>(table_value, "images.table");
    require_size(pixels.size(), "images.pixels");
    if (table.size() != 256 * program->channels()) {
      throw_range(env, "images.table must have 256 elements for each of the program's " +
                           std::to_string(program->channels()) + " channels");
    }
  }
  auto job = std::make_unique<Job>();
  job->images.assign(images.begin(), images.end());
  job->pixels.assign(pixels.begin(), pixels.end());
  job->table.assign(table.begin(), table.end());
  job->active.assign(program->cells.size(), 0);
  job->keys.assign(program->keys * program->slices, 0);
  job->count = count;
  job->kernels = Environment::of(env).kernels;
  job->program = program;
  return job;
}

void read_keys(Job& job, Napi::Value value) {
  const std::span<uint64_t> keys =
      value.IsUndefined() ? std::span<uint64_t>() : elements<uint64_t>(value, "keys");
  const size_t wanted = job.program->keys * job.program->slices;
  if (keys.size() != wanted) {
    throw_range(value.Env(), "keys must have the program's " + std::to_string(wanted) + " elements");
  }
  job.keys.assign(keys.begin(), keys.end());
}

}  // namespace

Napi::Value engine_open(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(argument(info, 0), "options");
  const std::string path = text(options.Get("library"), "options.library");
  const size_t threads = positive_integer(options.Get("threads"), "options.threads");
  if (threads > most_threads) {
    throw_range(info.Env(), "options.threads must be at most " + std::to_string(most_threads));
  }
  const ort::Library& library = ort::Library::load(path);
  return EngineHandle::wrap(info.Env(),
                            std::make_shared<Engine>(library, threads, open_devices(library, options)));
}

Napi::Value engine_add_constant(const Napi::CallbackInfo& info) {
  Engine& engine = *EngineHandle::of(argument(info, 0)).engine();
  const std::span<float> values = elements<float>(argument(info, 1), "values");
  auto constant = std::make_shared<Constant>(Constant{{values.begin(), values.end()}});
  return Napi::Number::New(info.Env(), double(engine.add_constant(std::move(constant))));
}

Napi::Value engine_add_session(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Engine> engine = EngineHandle::of(argument(info, 0)).engine();
  const std::string name = text(argument(info, 2), "name");
  std::vector<Engine::External> externals;
  const Napi::Object options = object(argument(info, 3), "options");
  const Napi::Value optimise = options.Get("optimise");
  if (!optimise.IsBoolean()) throw_type(env, "options.optimise must be a boolean");
  const Napi::Value constant = options.Get("constantConvolutions");
  if (!constant.IsUndefined() && !constant.IsBoolean()) {
    throw_type(env, "options.constantConvolutions must be a boolean");
  }
  const ort::ConvolutionWeights weights = constant.IsBoolean() && constant.As<Napi::Boolean>()
                                              ? ort::ConvolutionWeights::constant
                                              : ort::ConvolutionWeights::given;
  for (ExternalValue& asked : read_externals(options.Get("externals"))) {
    externals.push_back(find_external(env, *engine, std::move(asked), externals.size()));
  }
  const std::span<uint8_t> model = elements<uint8_t>(argument(info, 1), "model");
  return PromiseWorker::start(
      env, std::make_unique<SessionWorker>(
               engine, model, name, optimise.As<Napi::Boolean>() ? ort::Optimise::yes : ort::Optimise::no,
               weights, std::move(externals)));
}

Napi::Value engine_load(const Napi::CallbackInfo& info) {
  Engine& engine = *EngineHandle::of(argument(info, 0)).engine();
  engine.load(read_program(argument(info, 1)));
  return info.Env().Undefined();
}

Napi::Value engine_execute(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Value self = argument(info, 0), labels_value = argument(info, 3);
  EngineHandle& handle = EngineHandle::of(self);
  auto job = read_images(env, handle, argument(info, 1), argument(info, 2));
  const Program& program = *job->program;
  const std::span<uint8_t> active = elements<uint8_t>(argument(info, 4), "active");
  if (active.size() != program.cells.size()) {
    throw_range(env, "active must have one element per cell, " + std::to_string(program.cells.size()));
  }
  job->active.assign(active.begin(), active.end());
  read_keys(*job, argument(info, 5));
  job->labelled = !labels_value.IsUndefined();
  if (job->labelled) {
    const std::span<int32_t> labels = elements<int32_t>(labels_value, "labels");
    if (labels.size() != job->count) throw_range(env, "labels must have count elements");
    for (const int32_t label : labels) {
      if (label < -1 || label >= int64_t(program.classes)) {
        throw_range(env,
                    "labels must be from 0 to " + std::to_string(program.classes - 1) + ", or -1 for none");
      }
    }
    job->labels.assign(labels.begin(), labels.end());
  }
  const Napi::Value logits = argument(info, 6);
  if (!logits.IsUndefined() && !logits.IsBoolean()) throw_type(env, "logits must be a boolean");
  job->keeps_logits = logits.IsBoolean() && logits.As<Napi::Boolean>();
  return handle.submit(self, std::move(job));
}

Napi::Value engine_logits(const Napi::CallbackInfo& info) {
  const Napi::Value self = argument(info, 0);
  EngineHandle& handle = EngineHandle::of(self);
  auto job = read_images(info.Env(), handle, argument(info, 1), argument(info, 2));
  const Napi::Value cell_value = argument(info, 3);
  if (!cell_value.IsUndefined()) {
    const size_t cell = index_number(cell_value, "cell");
    if (cell >= job->active.size()) {
      throw_range(info.Env(),
                  "cell must be less than the number of cells, " + std::to_string(job->active.size()));
    }
    job->active[cell] = 1;
    read_keys(*job, argument(info, 4));
  }
  job->wants_logits = true;
  return handle.submit(self, std::move(job));
}

Napi::Value engine_cancel(const Napi::CallbackInfo& info) {
  EngineHandle::of(argument(info, 0)).engine()->cancel();
  return info.Env().Undefined();
}

Napi::Value engine_close(const Napi::CallbackInfo& info) {
  return PromiseWorker::start(info.Env(),
                              std::make_unique<CloseWorker>(EngineHandle::of(argument(info, 0)).engine()));
}

Napi::Value engine_stats(const Napi::CallbackInfo& info) {
  const Engine& engine = *EngineHandle::of(argument(info, 0)).engine();
  const EngineStats stats = engine.stats();
  const Napi::Object result = Napi::Object::New(info.Env());
  result.Set("onnxruntime", engine.library().version);
  result.Set("library", engine.library().path);
  result.Set("threads", double(stats.threads));
  result.Set("sessions", double(stats.sessions));
  result.Set("constantBytes", double(stats.constant_bytes));
  result.Set("slotBytes", double(stats.slot_bytes));
  result.Set("queued", double(stats.queued));
  result.Set("running", double(stats.running));
  result.Set("computed", double(stats.computed));
  const Napi::Object seconds = Napi::Object::New(info.Env());
  const auto seconds_of = [&](Stage stage) { return stats.stage_seconds[size_t(stage)]; };
  seconds.Set("upload", seconds_of(Stage::upload));
  seconds.Set("reset", seconds_of(Stage::reset));
  seconds.Set("inference", seconds_of(Stage::inference));
  seconds.Set("metrics", seconds_of(Stage::metrics));
  result.Set("seconds", seconds);
  result.Set("closed", stats.closed);
  return result;
}

}  // namespace critmap::binding
