/*
 * What glibc 2.28 does not export and the C++ library or the CUDA runtime that are linked in may want: for
 * builds with CRITMAP_PORTABLE only. Hidden, so that nobody else in the process gets them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOCAL __attribute__((visibility("hidden")))

/* Since 2.32, a hint: 0 says that there may be several threads. */
LOCAL char __libc_single_threaded = 0;

/* Functions since 2.33, before that wrappers in the program itself. The kernel's struct is that of these
 * processors. */
LOCAL int fstat(int file, struct stat* found) { return (int)syscall(SYS_fstat, file, found); }

LOCAL int fstat64(int file, struct stat64* found) { return (int)syscall(SYS_fstat, file, found); }

LOCAL int stat(const char* path, struct stat* found) {
  return (int)syscall(SYS_newfstatat, AT_FDCWD, path, found, 0);
}

LOCAL int lstat(const char* path, struct stat* found) {
  return (int)syscall(SYS_newfstatat, AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW);
}

LOCAL int fstatat(int folder, const char* path, struct stat* found, int flags) {
  return (int)syscall(SYS_newfstatat, folder, path, found, flags);
}

/* Since 2.36. */
LOCAL uint32_t arc4random(void) {
  uint32_t bits = 0;
  while (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) {
  }
  return bits;
}

/* What a libjpeg that was not built for shared libraries writes to; see cmake/static_jpeg.cmake. */
LOCAL FILE* critmap_stderr;

__attribute__((constructor)) static void name_stderr(void) { critmap_stderr = stderr; }
