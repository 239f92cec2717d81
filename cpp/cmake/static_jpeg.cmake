# libjpeg-turbo to be linked into a portable addon: sets JPEG_LIBRARIES. Debian's libjpeg.a is built for programs, not for
# shared libraries, and only one thing of it cannot be part of one: where it names `stderr`. A copy names our own pointer
# to it, which cpp/system/older_glibc.c has.
find_library(CRITMAP_JPEG_STATIC NAMES libjpeg.a)
if(NOT CRITMAP_JPEG_STATIC)
  message(FATAL_ERROR "CRITMAP_PORTABLE needs libjpeg.a beside libjpeg-turbo's headers, or CRITMAP_JPEG=OFF")
endif()
set(JPEG_LIBRARIES ${CMAKE_CURRENT_BINARY_DIR}/portable/libjpeg.a)
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/portable)
execute_process(
  COMMAND ${CMAKE_OBJCOPY} --redefine-sym stderr=critmap_stderr ${CRITMAP_JPEG_STATIC} ${JPEG_LIBRARIES}
  COMMAND_ERROR_IS_FATAL ANY)
