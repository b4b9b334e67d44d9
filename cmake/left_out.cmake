# SPDX-License-Identifier: BSL-1.0

# mc_left_out(text): something is not built or not tested here, and why. ctest says it too.
function(mc_left_out text)
  message(STATUS "multicore: ${text}")
  set_property(GLOBAL APPEND PROPERTY MC_LEFT_OUT "${text}")
endfunction()

# What was left out, each as a skipped test of that name.
function(mc_left_out_tests)
  get_property(texts GLOBAL PROPERTY MC_LEFT_OUT)
  foreach(text IN LISTS texts)
    add_test(NAME "${text}" COMMAND ${CMAKE_COMMAND} -E echo "${text}")
    set_tests_properties("${text}" PROPERTIES SKIP_REGULAR_EXPRESSION ".")
  endforeach()
endfunction()
