# cmake --install: programs, documents, licence. The worker is an example, so it stands in libexec,
# where its plain name is in nobody's way.
install(TARGETS ddp-launch RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET worker)
  install(TARGETS worker RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/ddp-launch)
endif()
install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs FILES_MATCHING PATTERN "*.md")
