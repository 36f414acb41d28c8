# usage: cmake -DFROM=… -DTO=… -DWORKER=… -P portable.cmake
# Copies the programs of the simulated GPU as a build with DDP_PORTABLE has them: they look for their
# libraries in ../lib. WORKER is linked so; of the others the search path is changed.
file(REMOVE_RECURSE ${TO})
file(COPY ${FROM}/bin ${FROM}/lib ${FROM}/tests ${FROM}/bench DESTINATION ${TO})
file(REMOVE ${TO}/bin/worker)
file(COPY_FILE ${WORKER} ${TO}/bin/worker)
foreach(program bin/libddp_worker_cuda.so tests/worker_gpu_ops bench/gpu_peak)
  file(RPATH_CHANGE FILE ${TO}/${program} OLD_RPATH ${FROM}/lib NEW_RPATH "$ORIGIN/../lib")
endforeach()
