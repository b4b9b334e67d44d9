# Compiler flags of everything in this project: warnings and sanitizers.
# SPDX-License-Identifier: BSL-1.0
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(MULTICORE_WERROR)
  add_compile_options(-Werror)
endif()

set(MULTICORE_TEST_TIMEOUT 120)
if(MULTICORE_SANITIZE)
  foreach(language C CXX)
    string(APPEND CMAKE_${language}_FLAGS
      " -fsanitize=${MULTICORE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer")
  endforeach()
  set(MULTICORE_TEST_TIMEOUT 300)
  # gcc says of each fence that TSan cannot see it; the atomic accesses around it are seen.
  if(MULTICORE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)
  endif()
endif()
