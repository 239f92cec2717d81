#include "comparison.h"

#include <algorithm>
#include <string>

#include "arguments.h"

namespace critmap::binding {
namespace {

// Makes `new constructor(rows)`, checks it and stores it under `name`.
bool add_array(napi_env env, napi_value result, const char* name, napi_value constructor,
               napi_typedarray_type type, size_t rows, void** data) {
  napi_value length, array;
  size_t actual = 0;
  return napi_create_double(env, double(rows), &length) == napi_ok &&
         napi_new_instance(env, constructor, 1, &length, &array) == napi_ok &&
         try_elements(env, array, type, data, &actual) && actual == rows &&
         napi_set_named_property(env, result, name, array) == napi_ok;
}

}  // namespace

std::span<int32_t> take_labels(Napi::Value value, size_t rows, size_t classes) {
  const Napi::Env env = value.Env();
  const std::span<int32_t> labels = elements<int32_t>(value, "labels");
  if (labels.size() != rows) throw_range(env, "labels must have one element per row");
  for (size_t row = 0; row < rows; row++) {
    const int32_t label = labels[row];
    if (label < -1 || (label >= 0 && size_t(label) >= classes)) {
      throw_range(
          env, "labels[" + std::to_string(row) + "] must be -1 or a class below " + std::to_string(classes));
    }
  }
  return labels;
}

napi_value make_result(napi_env env, napi_value float64_array, napi_value uint8_array, size_t rows,
                       bool labelled, Results& results) {
  napi_value result;
  if (napi_create_object(env, &result) != napi_ok) return nullptr;
  for (size_t i = 0; i < (labelled ? number_names.size() : numbers_unlabelled); i++) {
    void* data = nullptr;
    if (!add_array(env, result, number_names[i], float64_array, napi_float64_array, rows, &data)) {
      return nullptr;
    }
    results.numbers[i] = static_cast<double*>(data);
  }
  for (size_t i = 0; i < (labelled ? flag_names.size() : flags_unlabelled); i++) {
    void* data = nullptr;
    if (!add_array(env, result, flag_names[i], uint8_array, napi_uint8_array, rows, &data)) {
      return nullptr;
    }
    results.flags[i] = static_cast<uint8_t*>(data);
  }
  return result;
}

bool add_counts(napi_env env, napi_value result, size_t rows, const ComparisonCounts& counts) {
  const std::array<std::pair<const char*, size_t>, 3> all = {
      {{"images", rows}, {"agreement", counts.agreement}, {"invalid", counts.invalid}}};
  for (const auto& [name, count] : all) {
    napi_value value;
    if (napi_create_double(env, double(count), &value) != napi_ok ||
        napi_set_named_property(env, result, name, value) != napi_ok) {
      return false;
    }
  }
  return true;
}

Results OwnedComparison::room() {
  numbers_.resize(rows_ * number_names.size());
  flags_.resize(rows_ * flag_names.size());
  Results results;
  for (size_t i = 0; i < number_names.size(); i++) results.numbers[i] = numbers_.data() + i * rows_;
  for (size_t i = 0; i < flag_names.size(); i++) results.flags[i] = flags_.data() + i * rows_;
  return results;
}

napi_value OwnedComparison::result(napi_env env) const {
  napi_value float64_array, uint8_array;
  if (napi_get_reference_value(env, environment_.float64_array, &float64_array) != napi_ok ||
      napi_get_reference_value(env, environment_.uint8_array, &uint8_array) != napi_ok) {
    return nullptr;
  }
  Results results;
  const napi_value result = make_result(env, float64_array, uint8_array, rows_, labelled_, results);
  if (!result || !add_counts(env, result, rows_, counts)) return nullptr;
  for (size_t i = 0; i < number_names.size(); i++) {
    if (results.numbers[i]) std::copy_n(numbers_.data() + i * rows_, rows_, results.numbers[i]);
  }
  for (size_t i = 0; i < flag_names.size(); i++) {
    if (results.flags[i]) std::copy_n(flags_.data() + i * rows_, rows_, results.flags[i]);
  }
  return result;
}

}  // namespace critmap::binding
