# Third-party libraries as targets. Their headers are system headers: our warnings are for our code.
find_package(Threads REQUIRED)
# 1.81 by number: the default of Debian 12 is 1.74, which has no Process v2.
set(Boost_USE_STATIC_LIBS ON)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_path(DDP_HWLOC_INCLUDE hwloc.h REQUIRED)  # a package file of CMake's it has not
find_library(DDP_HWLOC_LIBRARY hwloc REQUIRED)
add_library(ddp_hwloc INTERFACE)
target_include_directories(ddp_hwloc SYSTEM INTERFACE ${DDP_HWLOC_INCLUDE})
target_link_libraries(ddp_hwloc INTERFACE ${DDP_HWLOC_LIBRARY})

# Debian ships fmt and spdlog as shared libraries only; ddp-launch is linked statically, so both are
# used header-only.
add_library(ddp_fmt INTERFACE)
target_link_libraries(ddp_fmt INTERFACE fmt::fmt-header-only)
add_library(ddp_spdlog INTERFACE)
target_link_libraries(ddp_spdlog INTERFACE ddp_fmt)
# Not spdlog's own header-only target: Debian's pulls in the shared fmt.
target_compile_definitions(ddp_spdlog INTERFACE SPDLOG_FMT_EXTERNAL)

# toml++ likewise; its parse() returns errors instead of throwing them. Included through
# launcher/base/toml.hpp alone, which corrects it.
add_library(ddp_toml INTERFACE)
target_include_directories(ddp_toml SYSTEM INTERFACE
  $<TARGET_PROPERTY:tomlplusplus::tomlplusplus,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(ddp_toml INTERFACE TOML_HEADER_ONLY=1 TOML_EXCEPTIONS=0)

add_library(ddp_asio INTERFACE)
target_link_libraries(ddp_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(ddp_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_THREADS
  BOOST_PROCESS_V2_HEADER_ONLY)
