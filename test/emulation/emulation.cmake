# The kernels and the device layer of cpp/cuda as C++, over a CUDA runtime that needs no card. For tests: the
# package does not have this folder.

# Compiles them into `target`.
function(critmap_add_emulated_cuda target)
  set(emulation ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  cmake_path(SET cpp NORMALIZE ${emulation}/../../cpp)
  set(kernels ${cpp}/cuda/metrics.cu ${cpp}/cuda/normalize.cu ${cpp}/cuda/reset.cu)
  # A library of its own, since options of a file hold only in the folder that sets them.
  add_library(critmap_emulation OBJECT
    ${kernels} ${cpp}/cuda/image_loader.cpp ${cpp}/cuda/runtime.cpp
    ${emulation}/grid.cpp ${emulation}/runtime.cpp)
  set_source_files_properties(${kernels} PROPERTIES
    LANGUAGE CXX
    COMPILE_OPTIONS "-xc++;-Wno-unknown-pragmas;-DCRITMAP_EMULATED_ARITHMETIC;-include;cuda_runtime.h")
  # It jumps between stacks, which that takes for a broken one.
  set_source_files_properties(${emulation}/grid.cpp PROPERTIES COMPILE_OPTIONS "-U_FORTIFY_SOURCE")
  target_compile_features(critmap_emulation PRIVATE cxx_std_20)
  target_compile_options(critmap_emulation PRIVATE -O2 -ffp-contract=off -fno-math-errno -Wall -Wextra)
  if(CRITMAP_WERROR)
    target_compile_options(critmap_emulation PRIVATE -Werror)
  endif()
  set_target_properties(critmap_emulation PROPERTIES
    CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  target_include_directories(critmap_emulation PRIVATE ${emulation} ${cpp})
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:critmap_emulation>)
endfunction()

# What the emulation must not let through; a program of its own, since each case ends it.
function(critmap_add_emulation_misuse)
  set(emulation ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  add_executable(emulation-misuse ${emulation}/misuse.cpp $<TARGET_OBJECTS:critmap_emulation>)
  target_include_directories(emulation-misuse PRIVATE ${emulation} ${emulation}/../../cpp)
  target_compile_features(emulation-misuse PRIVATE cxx_std_20)
  find_package(Threads REQUIRED)
  target_link_libraries(emulation-misuse PRIVATE Threads::Threads)
endfunction()
