# Installs into a new prefix and uses what is there. -DBUILD=<build directory> -DVERSION=<version>
set(prefix ${BUILD}/tests/installed)
file(REMOVE_RECURSE ${prefix})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix}
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

foreach(file README.md LICENSE CHANGELOG.md docs/design.md docs/command-line.md)
  file(GLOB_RECURSE found ${prefix}/share/doc/*/${file})
  if(NOT found)
    message(FATAL_ERROR "not installed: ${file}")
  endif()
endforeach()

foreach(program ddp-launch ddpctl)
  execute_process(COMMAND ${prefix}/bin/${program} --version
    OUTPUT_VARIABLE said OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  if(NOT said STREQUAL "${program} ${VERSION}")
    message(FATAL_ERROR "the installed ${program} says '${said}'")
  endif()
endforeach()

execute_process(COMMAND ${prefix}/bin/ddp-launch --bind numa -- true COMMAND_ERROR_IS_FATAL ANY)

if(WORKER)
  execute_process(
    COMMAND ${prefix}/bin/ddp-launch --nproc 2 -- ${prefix}/libexec/ddp-launch/worker
      --data ${prefix}/bin/ddp-launch --backend gloo --context 4 --embed 4 --hidden 8 --batch 8
      --steps 2
    OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
  if(NOT said MATCHES "digest")
    message(FATAL_ERROR "the installed worker says '${said}'")
  endif()
endif()
