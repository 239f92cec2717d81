# Whether there is CUDA code in this build, and how it is compiled. Used by the addon and by gpu-check.
#
#   CRITMAP_CUDA                AUTO: where a CUDA compiler works; ON: an error without one; OFF: never;
#                               EMULATE: on the host, without CUDA, for tests (Linux)
#   CRITMAP_CUDA_ARCHITECTURES  as CMAKE_CUDA_ARCHITECTURES; also an environment variable. Default: every kind of
#                               card of the last years that the compiler knows, and PTX for later ones.
#
# Sets critmap_cuda to whether there is a compiler, and defines critmap_add_cuda(target), which needs one.
# critmap_add_emulated_cuda(target) is in test/emulation/emulation.cmake.
include(CheckLanguage)

set(CRITMAP_CUDA AUTO CACHE STRING "CUDA code: AUTO, ON, OFF, or EMULATE for tests")
set_property(CACHE CRITMAP_CUDA PROPERTY STRINGS AUTO ON OFF EMULATE)
set(CRITMAP_CUDA_ARCHITECTURES "" CACHE STRING "Kinds of cards to compile for; empty: all that are supported")
if(NOT "$ENV{CRITMAP_CUDA_ARCHITECTURES}" STREQUAL "")
  # Whatever an earlier configuration was for; make's own runs, without the variable, keep to this.
  set_property(CACHE CRITMAP_CUDA_ARCHITECTURES PROPERTY VALUE "$ENV{CRITMAP_CUDA_ARCHITECTURES}")
endif()

set(critmap_cuda FALSE)
set(critmap_cuda_reason "CRITMAP_CUDA=${CRITMAP_CUDA}")
if(CRITMAP_CUDA AND NOT CRITMAP_CUDA STREQUAL EMULATE)
  # Toolkits install there without changing PATH.
  find_program(CRITMAP_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
  set(compiler "$ENV{CUDACXX}")
  if(NOT compiler AND CRITMAP_NVCC)
    set(compiler ${CRITMAP_NVCC})
  endif()
  if(NOT compiler)
    set(critmap_cuda_reason "no compiler")
  else()
    set(ENV{CUDACXX} ${compiler})
    # Otherwise CMake tries it for the oldest card that CMake knows of, which a new toolkit may have dropped.
    set(ENV{CUDAARCHS} 75)
    check_language(CUDA)
    unset(ENV{CUDAARCHS})
    if(NOT CMAKE_CUDA_COMPILER)
      set(critmap_cuda_reason "the compiler ${compiler} does not work")
    else()
      set(critmap_cuda TRUE)
    endif()
  endif()
endif()

if(critmap_cuda)
  execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-arch OUTPUT_VARIABLE known ERROR_QUIET)
  set(architectures "")
  foreach(architecture 75 80 86 89 90 100 120)
    if(known MATCHES "compute_${architecture}[^0-9]")
      set(newest ${architecture})
      list(APPEND architectures ${architecture}-real)
    endif()
  endforeach()
  list(APPEND architectures ${newest}-virtual)
  if(CRITMAP_CUDA_ARCHITECTURES)
    set(architectures ${CRITMAP_CUDA_ARCHITECTURES})
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${architectures})
  enable_language(CUDA)
  # Of the compiler's own toolkit, so after it.
  find_package(CUDAToolkit QUIET)
  if(NOT TARGET CUDA::cudart_static)
    set(critmap_cuda FALSE)
    set(critmap_cuda_reason "the compiler ${compiler} comes without the static CUDA runtime")
  endif()
endif()

if(critmap_cuda)
  message(STATUS "CUDA: on (${CMAKE_CUDA_COMPILER_VERSION}, for ${CMAKE_CUDA_ARCHITECTURES})")
elseif(CRITMAP_CUDA STREQUAL EMULATE)
  message(STATUS "CUDA: emulated on the host")
elseif(CRITMAP_CUDA STREQUAL AUTO OR NOT CRITMAP_CUDA)
  message(STATUS "CUDA: off (${critmap_cuda_reason})")
else()
  message(FATAL_ERROR
    "CRITMAP_CUDA=${CRITMAP_CUDA}: ${critmap_cuda_reason}. Install the CUDA toolkit, or let CUDACXX name its nvcc.")
endif()

# Compiles the kernels and the device layer into `target`. The runtime is linked statically and finds the driver
# when it is first called, so that the result loads everywhere.
function(critmap_add_cuda target)
  cmake_path(GET CMAKE_CURRENT_FUNCTION_LIST_DIR PARENT_PATH folder)
  add_library(critmap_kernels OBJECT
    ${folder}/cuda/metrics.cu ${folder}/cuda/normalize.cu ${folder}/cuda/reset.cu ${folder}/cuda/shuffle.cu)
  target_include_directories(critmap_kernels PRIVATE ${folder})
  set_target_properties(critmap_kernels PROPERTIES
    CUDA_EXTENSIONS OFF CUDA_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  # Not 20, which not every CMake knows of every CUDA compiler.
  target_compile_features(critmap_kernels PRIVATE cuda_std_17)
  # Contraction would change the bits.
  target_compile_options(critmap_kernels PRIVATE -fmad=false)
  if(NOT MSVC)
    target_compile_options(critmap_kernels PRIVATE -Xcompiler=-Wall,-Wextra)
  endif()
  if(CRITMAP_WERROR)
    target_compile_options(critmap_kernels PRIVATE -Werror=all-warnings)
    if(NOT MSVC)
      target_compile_options(critmap_kernels PRIVATE -Xcompiler=-Werror)
    endif()
  endif()
  target_sources(${target} PRIVATE
    ${folder}/cuda/image_loader.cpp ${folder}/cuda/runtime.cpp $<TARGET_OBJECTS:critmap_kernels>)
  # The system's, so that warnings are about our own code only.
  target_include_directories(${target} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
endfunction()
