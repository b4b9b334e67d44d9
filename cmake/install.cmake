# Installation: headers, libraries, the CMake package, multicore.pc.
# SPDX-License-Identifier: BSL-1.0
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/multicore)

install(TARGETS multicore multicore_static EXPORT multicore-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/multicore DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# src/hosts/* add their targets to the same export set.
install(EXPORT multicore-targets NAMESPACE multicore:: DESTINATION ${package_dir})
configure_package_config_file(cmake/multicore-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/multicore-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/multicore-config-version.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMajorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/multicore-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/multicore-config-version.cmake
  DESTINATION ${package_dir})

# Relative to the file itself, so that a prefix may be moved (cmake --install --prefix).
file(RELATIVE_PATH pc_prefix
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(cmake/multicore.pc.in ${CMAKE_CURRENT_BINARY_DIR}/multicore.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/multicore.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The Lua module goes where a stock Lua of the same prefix looks; it finds the library beside it.
if(TARGET multicore_lua)
  set_target_properties(multicore_lua PROPERTIES INSTALL_RPATH "$ORIGIN/../..")
  install(TARGETS multicore_lua LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lua/5.4)
  install(TARGETS multicore_lua_embed EXPORT multicore-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET multicore_mruby)
  install(TARGETS multicore_mruby EXPORT multicore-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET multicore_duktape)
  install(TARGETS multicore_duktape EXPORT multicore-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
