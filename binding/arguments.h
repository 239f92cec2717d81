// Checks of everything that JavaScript passes in. Reading an object may run its getters, which may throw or
// detach a buffer, so calls first read all objects and only then take pointers with `elements`.
#pragma once

#include <napi.h>

#include <span>
#include <stdexcept>
#include <string>

namespace critmap::binding {

[[noreturn]] void throw_type(Napi::Env env, const std::string& message);
[[noreturn]] void throw_range(Napi::Env env, const std::string& message);

// Argument `index`, or undefined.
Napi::Value argument(const Napi::CallbackInfo& info, size_t index);

// TypeError unless `value` is an object (not null, not a function).
Napi::Object object(Napi::Value value, const char* name);

// The values of `object[property]`; `name` is for the message. TypeError or RangeError if it is of another
// kind.
float finite_float(Napi::Object object, const char* property, const char* name);
// The 64 bits of object.key; `name` is the object's.
uint64_t key_bits(Napi::Object object, const std::string& name);
// An integer from 1 to 2^53 - 1.
size_t positive_integer(Napi::Value value, const char* name);
// An integer from 0 to 2^53 - 1.
size_t index_number(Napi::Value value, const std::string& name);
// A short string; longer ones are cut, which makes them unknown names.
std::string short_string(Napi::Value value, const char* name);
// Any string.
std::string text(Napi::Value value, const std::string& name);

// The elements of a typed array of T that is neither shared nor detached. They stay where they are until
// JavaScript runs again.
template <class T>
std::span<T> elements(Napi::Value value, const char* name);

// The same without exceptions, for code that may run while its environment is shut down: false if `value` is
// no such array any more.
bool try_elements(napi_env env, napi_value value, napi_typedarray_type type, void** data, size_t* length);

}  // namespace critmap::binding
