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

# The Lua modules go where a stock Lua of the same prefix looks; they find the library beside them.
foreach(module multicore_lua multicore_lua51)
  if(TARGET ${module})
    get_target_property(version ${module} LUA_VERSION)
    set_target_properties(${module} PROPERTIES INSTALL_RPATH "$ORIGIN/../..")
    install(TARGETS ${module} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lua/${version})
    install(TARGETS ${module}_embed EXPORT multicore-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endforeach()
# Where a stock Tcl of the same prefix looks; it finds the library beside its folder.
if(TARGET multicore_tcl)
  set_target_properties(multicore_tcl PROPERTIES INSTALL_RPATH "$ORIGIN/../..")
  install(TARGETS multicore_tcl LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/tcltk/multicore1.0)
  install(FILES ${PROJECT_BINARY_DIR}/src/hosts/tcl/package/pkgIndex.tcl
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/tcltk/multicore1.0)
endif()
if(TARGET multicore_mruby)
  install(TARGETS multicore_mruby EXPORT multicore-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET multicore_duktape)
  install(TARGETS multicore_duktape EXPORT multicore-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
# A library directory for perl -I, or PERL5LIB; the module finds the library beside it.
if(TARGET multicore_perl)
  set_target_properties(multicore_perl PROPERTIES INSTALL_RPATH "$ORIGIN/../../../../..")
  install(TARGETS multicore_perl LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/multicore/perl5/auto/Coro/Multicore)
  install(FILES src/hosts/perl/lib/Coro/Multicore.pm DESTINATION ${CMAKE_INSTALL_LIBDIR}/multicore/perl5/Coro)
endif()
