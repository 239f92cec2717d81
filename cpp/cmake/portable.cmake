# An addon that also loads on older Linux systems than the one it is built on: for the packages that are installed
# without a compiler. critmap_make_portable(target) links the C++ library and libjpeg into it and binds it to the
# symbols that the C library had before it took in libpthread, libdl and librt (2.34), so that glibc 2.28 is enough,
# which Node itself needs. `npm run package` checks the result.
#
# The linker takes the version of a symbol from the first library that has it. So there are libraries here with
# nothing but names: they stand before the real ones when the addon is linked, and are nowhere when it is loaded.

# What libpthread, libdl and librt had, by library. Only names that are used get into the addon.
set(critmap_pthread_names
  __pthread_key_create pthread_atfork pthread_attr_getstack pthread_attr_setstacksize pthread_condattr_setpshared pthread_create
  pthread_detach pthread_getspecific pthread_join pthread_key_create pthread_key_delete pthread_kill
  pthread_mutex_timedlock pthread_mutex_trylock pthread_mutexattr_destroy pthread_mutexattr_gettype
  pthread_mutexattr_init pthread_mutexattr_setpshared pthread_mutexattr_settype pthread_once
  pthread_rwlock_destroy pthread_rwlock_init pthread_rwlock_rdlock pthread_rwlock_timedrdlock
  pthread_rwlock_timedwrlock pthread_rwlock_tryrdlock pthread_rwlock_trywrlock pthread_rwlock_unlock
  pthread_rwlock_wrlock pthread_rwlockattr_destroy pthread_rwlockattr_init pthread_rwlockattr_setpshared
  pthread_setspecific pthread_sigmask pthread_spin_destroy pthread_spin_init pthread_spin_lock
  pthread_spin_trylock pthread_spin_unlock sem_destroy sem_init sem_post sem_timedwait sem_trywait sem_wait)
set(critmap_dl_names dladdr dlclose dlerror dlopen dlsym dlvsym)
set(critmap_rt_names shm_open shm_unlink)

function(critmap_make_portable target)
  # The version of the first glibc on each kind of processor.
  if(target_processor MATCHES "^(x86_64|AMD64|amd64)$")
    set(first GLIBC_2.2.5)
    set(dlmopen GLIBC_2.3.4)
  elseif(target_processor MATCHES "^(aarch64|arm64)$")
    set(first GLIBC_2.17)
    set(dlmopen GLIBC_2.17)
  else()
    message(FATAL_ERROR "CRITMAP_PORTABLE is for x86_64 and aarch64, not for ${target_processor}")
  endif()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/portable)
  foreach(library pthread.0 dl.2 rt.1)
    string(REGEX REPLACE "\\.([0-9])$" ";\\1" parts ${library})
    list(GET parts 0 name)
    list(GET parts 1 version)
    set(code "")
    set(names "")
    foreach(symbol ${critmap_${name}_names})
      string(APPEND code "void ${symbol}(void) {}\n")
      string(APPEND names "${symbol}; ")
    endforeach()
    set(map "${first} { global: ${names} local: *; };\n")
    if(name STREQUAL dl)
      string(APPEND code "void dlmopen(void) {}\n")
      if(dlmopen STREQUAL first)
        set(map "${first} { global: ${names} dlmopen; local: *; };\n")
      else()
        string(APPEND map "${dlmopen} { global: dlmopen; } ${first};\n")
      endif()
    endif()
    file(CONFIGURE OUTPUT ${folder}/${name}.c CONTENT "${code}" @ONLY)
    file(CONFIGURE OUTPUT ${folder}/${name}.map CONTENT "${map}" @ONLY)
    add_library(critmap_names_${name} SHARED ${folder}/${name}.c)
    # Some of them are built in.
    target_compile_options(critmap_names_${name} PRIVATE -fno-builtin)
    target_link_options(critmap_names_${name} PRIVATE
      -nostdlib -Wl,-soname,lib${name}.so.${version} -Wl,--version-script,${folder}/${name}.map)
    set_target_properties(critmap_names_${name} PROPERTIES
      OUTPUT_NAME critmap-${name} LIBRARY_OUTPUT_DIRECTORY ${folder} NO_SONAME ON)
    target_link_libraries(${target} PRIVATE critmap_names_${name})
    add_dependencies(${target} critmap_names_${name})
  endforeach()
  target_sources(${target} PRIVATE cpp/system/older_glibc.c)
  # libgcc stays outside: a new one finds frames by a function of the newest glibc, and every system has one.
  target_link_options(${target} PRIVATE -static-libstdc++ -Wl,--exclude-libs,ALL -Wl,--as-needed)
  # Nothing of this machine's folders.
  set_target_properties(${target} PROPERTIES SKIP_BUILD_RPATH ON)
endfunction()
