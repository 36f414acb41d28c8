# cmake --install: programs, documents, licence. The worker is an example, so it stands in libexec,
# where its plain name is in nobody's way.
install(TARGETS ddp-launch RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET worker)
  install(TARGETS worker RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/ddp-launch)
endif()
if(TARGET ddp_worker_cuda)  # the worker looks for it beside itself
  install(TARGETS ddp_worker_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/ddp-launch)
endif()
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples USE_SOURCE_PERMISSIONS
  PATTERN "__pycache__" EXCLUDE)
install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs FILES_MATCHING PATTERN "*.md")
