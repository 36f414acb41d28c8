# ddp-test-helper, the one program that plays any worker. Static and without sanitizers in every
# preset: it is started by the thousand, and it is no subject of a test.
add_executable(ddp-test-helper os/helper.cpp os/helper_system.cpp os/helper_text.cpp
  os/helper_hostile.cpp)
target_link_libraries(ddp-test-helper PRIVATE ddp_warnings)
target_link_options(ddp-test-helper PRIVATE -static)
set_target_properties(ddp-test-helper PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
