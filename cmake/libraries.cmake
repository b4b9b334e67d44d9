# Makes the shared and the static library from the objects of src/.
# SPDX-License-Identifier: BSL-1.0
set(Boost_USE_STATIC_LIBS ON)
find_package(Boost 1.74 REQUIRED COMPONENTS context)
find_package(Threads REQUIRED)

# A compiler that inlined across the switch, or that cached a thread-local address over it, would
# break tasks that change thread: no link-time optimisation, whatever the environment's flags say.
target_compile_options(multicore_objects PRIVATE -fno-lto -ftls-model=initial-exec -ffunction-sections
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
set_target_properties(multicore_objects PROPERTIES
  POSITION_INDEPENDENT_CODE ON
  INTERPROCEDURAL_OPTIMIZATION OFF
  C_VISIBILITY_PRESET hidden
  CXX_VISIBILITY_PRESET hidden
  VISIBILITY_INLINES_HIDDEN ON)
target_link_libraries(multicore_objects PRIVATE Boost::headers)

function(multicore_usage target)
  target_include_directories(${target} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

# Shared. Boost.Context is inside and hidden: another copy of it in the process (PHP has one of its
# own) must not be bound to ours, nor ours to it. Never unloaded: carriers run its code.
set(map ${PROJECT_SOURCE_DIR}/cmake/multicore.map)
add_library(multicore SHARED $<TARGET_OBJECTS:multicore_objects>)
add_library(multicore::multicore ALIAS multicore)
multicore_usage(multicore)
set_target_properties(multicore PROPERTIES
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}
  LINKER_LANGUAGE CXX
  LINK_DEPENDS ${map})
target_link_libraries(multicore PRIVATE $<TARGET_FILE:Boost::context> Threads::Threads)
target_link_options(multicore PRIVATE
  LINKER:--version-script=${map} LINKER:--exclude-libs,ALL LINKER:-z,nodelete LINKER:-z,now
  LINKER:--gc-sections)
if(NOT MULTICORE_SANITIZE)
  target_link_options(multicore PRIVATE LINKER:-z,defs)
endif()

# Static: one relocatable object with the parts of Boost.Context that are used, made local, so that
# users need no Boost and cannot collide with theirs.
set(whole ${CMAKE_CURRENT_BINARY_DIR}/multicore.o)
add_custom_command(OUTPUT ${whole}
  COMMAND ${CMAKE_LINKER} -r -o ${whole} $<TARGET_OBJECTS:multicore_objects> $<TARGET_FILE:Boost::context>
  COMMAND ${CMAKE_OBJCOPY} --localize-symbol=make_fcontext --localize-symbol=jump_fcontext
          --localize-symbol=ontop_fcontext ${whole}
  DEPENDS multicore_objects $<TARGET_OBJECTS:multicore_objects>
  COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "Merging the objects of libmulticore.a")
set_source_files_properties(${whole} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
add_library(multicore_static STATIC ${whole})
add_library(multicore::static ALIAS multicore_static)
multicore_usage(multicore_static)
set_target_properties(multicore_static PROPERTIES
  OUTPUT_NAME multicore EXPORT_NAME static LINKER_LANGUAGE CXX)
target_link_libraries(multicore_static INTERFACE Threads::Threads stdc++)
# Extensions that the program loads must find the runtime inside it.
target_link_options(multicore_static INTERFACE LINKER:--export-dynamic-symbol=mc_ext_slot_1)
# Tests and benchmarks of the inside see src/fiber, whose inline switch calls Boost.Context by name.
target_link_libraries(multicore_static INTERFACE $<BUILD_INTERFACE:$<TARGET_FILE:Boost::context>>)
