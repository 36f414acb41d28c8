# ddp_compiler: the warnings and sanitizers of every target of ours; ddp_warnings: the former alone.
# Asserts stay on in every build type: they guard what tests cannot reach.
add_library(ddp_warnings INTERFACE)
add_library(ddp_compiler INTERFACE)
target_link_libraries(ddp_compiler INTERFACE ddp_warnings)
target_compile_options(ddp_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wformat=2 -Wimplicit-fallthrough
  # Designated initializers leave fields at their defaults on purpose; gcc 12's -Wrestrict is wrong about
  # operator+(const char*, std::string&&) (gcc PR 105651).
  -Wno-missing-field-initializers -Wno-restrict>)
if(DDP_SANITIZE)
  target_compile_options(ddp_compiler INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${DDP_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=undefined
    # gcc documents false positives of this one under sanitizers: <regex> and std::function have some.
    -Wno-maybe-uninitialized>)
  target_link_options(ddp_compiler INTERFACE -fsanitize=${DDP_SANITIZE})
endif()
foreach(config RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_${config} "${CMAKE_CXX_FLAGS_${config}}")
endforeach()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # SLOPPINESS lets ccache serve files that use a precompiled header; BASEDIR and NOHASHDIR let a second
  # clone of the repository use what the first one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()
