# cmake --install: programs, documents, licence. The worker is an example, so it stands in libexec,
# where its plain name does not clash with another program's.
# Components: launcher, worker, cuda; and dev (DdpPackage).
# The program's name, as Debian's packages have it, rather than the project's.
string(REGEX REPLACE "/ddp_launch$" "/ddp-launch" CMAKE_INSTALL_DOCDIR "${CMAKE_INSTALL_DOCDIR}")
install(TARGETS ddp-launch ddpctl ddp-topology ddp-devices RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT launcher)
if(TARGET worker)
  install(TARGETS worker RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/ddp-launch
    COMPONENT worker)
endif()
if(TARGET ddp_worker_cuda)  # the worker looks for it in its own directory
  install(TARGETS ddp_worker_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/ddp-launch
    COMPONENT cuda)
endif()
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples USE_SOURCE_PERMISSIONS
  COMPONENT launcher PATTERN "__pycache__" EXCLUDE)
install(FILES README.md LICENSE CHANGELOG.md CONTRIBUTING.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT launcher)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs COMPONENT launcher
  FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")

# cpack -G DEB: three packages. The launcher is static and depends on nothing, but for --bind, for which
# ddp-topology needs hwloc; dpkg-shlibdeps finds what the worker needs. The GPU part is left out: its libraries are not Debian's.
set(CPACK_PACKAGE_NAME ddp-launch)
set(CPACK_PACKAGE_VENDOR "ddp-launch")
set(CPACK_PACKAGE_CONTACT "ddp-launch developers <ddp-launch@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL launcher dev)
if(TARGET worker)
  list(APPEND CPACK_COMPONENTS_ALL worker)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_LAUNCHER_PACKAGE_NAME ddp-launch)
set(CPACK_DEBIAN_LAUNCHER_PACKAGE_RECOMMENDS libhwloc15)
set(CPACK_COMPONENT_LAUNCHER_DESCRIPTION
  "The launcher, its documents and examples.")
set(CPACK_DEBIAN_WORKER_PACKAGE_NAME ddp-launch-worker)
set(CPACK_DEBIAN_WORKER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_WORKER_PACKAGE_SUGGESTS ddp-launch)
set(CPACK_COMPONENT_WORKER_DESCRIPTION
  "A data-parallel trainer of a byte-level language model, on the CPU over Gloo.")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME ddp-launch-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEV_DESCRIPTION
  "Library for C++ workers: environment, notifications and fault points.")
if(NOT DDP_STATIC)
  set(CPACK_DEBIAN_LAUNCHER_PACKAGE_SHLIBDEPS ON)
endif()
include(CPack)
