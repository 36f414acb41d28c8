# What other programs build their workers with: the library common, its headers as
# <ddp_launch/common/...>, and find_package(ddp_launch), which gives ddp_launch::common.
# Component "dev": installable without the programs (cmake --install build --component dev).
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ddp_launch)
set_target_properties(ddp_common PROPERTIES EXPORT_NAME common)
# Headers name each other from the project's root ("common/result.hpp"), users from the include
# directory (<ddp_launch/common/client/notifier.hpp>): both directories are on the path.
target_include_directories(ddp_common INTERFACE
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/ddp_launch>)
target_compile_features(ddp_common INTERFACE cxx_std_20)
install(TARGETS ddp_common EXPORT ddp_launch
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
# The worker's rooms and what they include; the rest of common is private.
set(include_dir ${CMAKE_INSTALL_INCLUDEDIR}/ddp_launch/common)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/common/client ${PROJECT_SOURCE_DIR}/common/faults
  DESTINATION ${include_dir} COMPONENT dev FILES_MATCHING PATTERN "*.hpp")
install(FILES ${PROJECT_SOURCE_DIR}/common/get_env.hpp ${PROJECT_SOURCE_DIR}/common/notify_message.hpp
  ${PROJECT_SOURCE_DIR}/common/result.hpp DESTINATION ${include_dir} COMPONENT dev)
install(EXPORT ddp_launch NAMESPACE ddp_launch:: FILE ddp_launch-config.cmake
  DESTINATION ${package_dir} COMPONENT dev)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ddp_launch-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/ddp_launch-config-version.cmake
  DESTINATION ${package_dir} COMPONENT dev)
