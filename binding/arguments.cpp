#include "arguments.h"

#include <cmath>

namespace critmap::binding {
namespace {

template <class T>
struct Kind;
template <>
struct Kind<float> {
  static constexpr napi_typedarray_type type = napi_float32_array;
  static constexpr const char* name = "a Float32Array";
};
template <>
struct Kind<double> {
  static constexpr napi_typedarray_type type = napi_float64_array;
  static constexpr const char* name = "a Float64Array";
};
template <>
struct Kind<int32_t> {
  static constexpr napi_typedarray_type type = napi_int32_array;
  static constexpr const char* name = "an Int32Array";
};
template <>
struct Kind<uint32_t> {
  static constexpr napi_typedarray_type type = napi_uint32_array;
  static constexpr const char* name = "a Uint32Array";
};
template <>
struct Kind<uint64_t> {
  static constexpr napi_typedarray_type type = napi_biguint64_array;
  static constexpr const char* name = "a BigUint64Array";
};
template <>
struct Kind<uint8_t> {
  static constexpr napi_typedarray_type type = napi_uint8_array;
  static constexpr const char* name = "a Uint8Array";
};

}  // namespace

void throw_type(Napi::Env env, const std::string& message) { throw Napi::TypeError::New(env, message); }

void throw_range(Napi::Env env, const std::string& message) { throw Napi::RangeError::New(env, message); }

Napi::Value argument(const Napi::CallbackInfo& info, size_t index) {
  return index < info.Length() ? info[index] : info.Env().Undefined();
}

Napi::Object object(Napi::Value value, const char* name) {
  if (value.Type() != napi_object) throw_type(value.Env(), std::string(name) + " must be an object");
  return value.As<Napi::Object>();
}

float finite_float(Napi::Object object, const char* property, const char* name) {
  const Napi::Value value = object.Get(property);
  if (value.Type() != napi_number) throw_type(value.Env(), std::string(name) + " must be a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  // Also what rounds to infinity as a float.
  if (!std::isfinite(number) || !std::isfinite(static_cast<float>(number))) {
    throw_range(value.Env(), std::string(name) + " must be finite as a 32-bit float");
  }
  return static_cast<float>(number);
}

uint64_t key_bits(Napi::Object object, const std::string& name) {
  const Napi::Value value = object.Get("key");
  if (value.Type() != napi_bigint) throw_type(value.Env(), name + ".key must be a bigint");
  bool lossless = false;
  const uint64_t key = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw_range(value.Env(), name + ".key must be from 0 to 2n ** 64n - 1n");
  return key;
}

size_t positive_integer(Napi::Value value, const char* name) {
  if (value.Type() != napi_number) throw_type(value.Env(), std::string(name) + " must be a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 1 && number <= 9007199254740991.0 && number == std::floor(number))) {
    throw_range(value.Env(), std::string(name) + " must be a positive integer");
  }
  return static_cast<size_t>(number);
}

size_t index_number(Napi::Value value, const std::string& name) {
  if (value.Type() != napi_number) throw_type(value.Env(), name + " must be a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0 && number <= 9007199254740991.0 && number == std::floor(number))) {
    throw_range(value.Env(), name + " must be an integer that is not negative");
  }
  return static_cast<size_t>(number);
}

std::string short_string(Napi::Value value, const char* name) {
  if (value.Type() != napi_string) throw_type(value.Env(), std::string(name) + " must be a string");
  char text[40];
  size_t length = 0;
  if (napi_get_value_string_utf8(value.Env(), value, text, sizeof(text), &length) != napi_ok) {
    throw_type(value.Env(), std::string(name) + " must be a string");
  }
  return std::string(text, length);
}

std::string text(Napi::Value value, const std::string& name) {
  if (!value.IsString()) throw_type(value.Env(), name + " must be a string");
  return value.As<Napi::String>().Utf8Value();
}

bool try_elements(napi_env env, napi_value value, napi_typedarray_type type, void** data, size_t* length) {
  bool yes = false, detached = true;
  napi_typedarray_type actual;
  napi_value buffer;
  size_t offset = 0, buffer_bytes = 0;
  void* start = nullptr;
  if (napi_is_typedarray(env, value, &yes) != napi_ok || !yes) return false;
  if (napi_get_typedarray_info(env, value, &actual, length, data, &buffer, &offset) != napi_ok) return false;
  // A SharedArrayBuffer is not an ArrayBuffer; other threads could write to it while it is read here.
  if (actual != type || napi_is_arraybuffer(env, buffer, &yes) != napi_ok || !yes) return false;
  if (napi_is_detached_arraybuffer(env, buffer, &detached) != napi_ok || detached) return false;
  if (napi_get_arraybuffer_info(env, buffer, &start, &buffer_bytes) != napi_ok) return false;
  // Of a resizable buffer the array may lie outside by now.
  const bool is_wide = type == napi_float64_array || type == napi_biguint64_array;
  const size_t width = is_wide ? 8 : type == napi_uint8_array ? 1 : 4;
  return *length == 0 || (offset <= buffer_bytes && *length <= (buffer_bytes - offset) / width);
}

template <class T>
std::span<T> elements(Napi::Value value, const char* name) {
  const Napi::Env env = value.Env();
  const std::string must = std::string(name) + " must ";
  void* data = nullptr;
  size_t length = 0;
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != Kind<T>::type) {
    throw_type(env, must + "be " + Kind<T>::name);
  }
  if (!try_elements(env, value, Kind<T>::type, &data, &length)) {
    throw_type(env, must + "not be detached, shrunk or backed by a SharedArrayBuffer");
  }
  return length ? std::span<T>(static_cast<T*>(data), length) : std::span<T>();
}

template std::span<float> elements(Napi::Value, const char*);
template std::span<double> elements(Napi::Value, const char*);
template std::span<int32_t> elements(Napi::Value, const char*);
template std::span<uint32_t> elements(Napi::Value, const char*);
template std::span<uint64_t> elements(Napi::Value, const char*);
template std::span<uint8_t> elements(Napi::Value, const char*);

}  // namespace critmap::binding
