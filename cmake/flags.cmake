# Compiler flags of everything in this project: warnings and sanitizers.
# SPDX-License-Identifier: BSL-1.0
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(MULTICORE_WERROR)
  add_compile_options(-Werror)
endif()

# Libraries that a program built without the sanitizer must preload before it loads ours.
set(MULTICORE_SANITIZER_PRELOAD "" CACHE INTERNAL "")
set(MULTICORE_TEST_TIMEOUT 120)

if(MULTICORE_SANITIZE)
  add_compile_options(-fsanitize=${MULTICORE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MULTICORE_SANITIZE})
  set(MULTICORE_TEST_TIMEOUT 300)

  if(MULTICORE_SANITIZE MATCHES "thread")
    set(runtime tsan)
    # The fences are there for the processor; TSan sees the atomic accesses around them.
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      add_compile_options(-Wno-tsan)
    endif()
  else()
    set(runtime asan)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set(file lib${runtime}.so)
  else()
    set(file libclang_rt.${runtime}-${CMAKE_SYSTEM_PROCESSOR}.so)
    if(runtime STREQUAL "asan")
      # Otherwise the run-time is only in executables, and none can be preloaded.
      add_compile_options(-shared-libsan)
      add_link_options(-shared-libsan)
    endif()
  endif()
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=${file}
    OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE)
  get_filename_component(path "${path}" REALPATH)
  set(MULTICORE_SANITIZER_PRELOAD "${path}" CACHE INTERNAL "")
endif()
