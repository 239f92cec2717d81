#include <string>

#include "onnxruntime/session.h"

namespace critmap::ort {
namespace {

// An ONNX file: y = x + w, all float32 [2], where w is said to be in another file (protobuf by hand: IR 8,
// opset 13).
constexpr uint8_t model[] = {0x08, 0x08, 0x3a, 0x4f, 0x0a, 0x0e, 0x0a, 0x01, 0x78, 0x0a, 0x01, 0x77, 0x12,
                             0x01, 0x79, 0x22, 0x03, 0x41, 0x64, 0x64, 0x12, 0x01, 0x67, 0x2a, 0x18, 0x08,
                             0x02, 0x10, 0x01, 0x42, 0x01, 0x77, 0x6a, 0x0d, 0x0a, 0x08, 0x6c, 0x6f, 0x63,
                             0x61, 0x74, 0x69, 0x6f, 0x6e, 0x12, 0x01, 0x2d, 0x70, 0x01, 0x5a, 0x0f, 0x0a,
                             0x01, 0x78, 0x12, 0x0a, 0x0a, 0x08, 0x08, 0x01, 0x12, 0x04, 0x0a, 0x02, 0x08,
                             0x02, 0x62, 0x0f, 0x0a, 0x01, 0x79, 0x12, 0x0a, 0x0a, 0x08, 0x08, 0x01, 0x12,
                             0x04, 0x0a, 0x02, 0x08, 0x02, 0x42, 0x02, 0x10, 0x0d};

void expect(bool so, const Library& library, const char* what) {
  if (so) return;
  throw Error(
      library.path + " (ONNX Runtime " + library.version + ") does not work as critmap expects: " + what, 0);
}

bool is_pair(std::span<const Port> ports, const char* name) {
  return ports.size() == 1 && ports[0].name == name && ports[0].type == 1 &&
         ports[0].dims == std::vector<int64_t>{2};
}

}  // namespace

void self_test(const Library& library) {
  try {
    Session(library, std::span(model).first(5), Optimise::yes, {}, nullptr);
    expect(false, library, "a broken model was accepted");
  } catch (const Error& error) {
    expect(error.code != 0 && error.what()[0] != 0, library, "an error has no code or no message");
  }
  const int64_t dims[] = {2};
  alignas(64) float x[] = {1, 2}, w[] = {10, 20}, y[] = {0, 0};
  const Value in = make_value(library, library.memory, x, sizeof(x), dims, 1);
  const Value weight = make_value(library, library.memory, w, sizeof(w), dims, 1);
  const Value out = make_value(library, library.memory, y, sizeof(y), dims, 1);
  const Initializer initializers[] = {{"w", weight.get()}};
  const PrepackedWeights prepacked = make_prepacked_weights(library);
  const Session session(library, model, Optimise::yes, initializers, prepacked.get());
  expect(is_pair(session.inputs(), "x") && is_pair(session.outputs(), "y"), library,
         "inputs and outputs are not those of the model");
  const OrtValue *const from = in.get(), *const to = out.get();
  const Binding binding = session.bind({&from, 1}, {&to, 1});
  const RunOptions options = make_run_options(library);
  session.run(options.get(), binding.get());
  expect(y[0] == 11 && y[1] == 22, library, "a sum is wrong");
  library.check(library.api.RunOptionsSetTerminate(options.get()));
  bool stopped = false;
  try {
    session.run(options.get(), binding.get());
  } catch (const Error&) {
    stopped = true;
  }
  expect(stopped, library, "a run cannot be stopped");
  library.check(library.api.RunOptionsUnsetTerminate(options.get()));
  x[0] = 5;
  session.run(options.get(), binding.get());
  expect(y[0] == 15, library, "a run after a stopped one is wrong");
}

}  // namespace critmap::ort
