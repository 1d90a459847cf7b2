# Command-line cases: APP_NAME.npN[.npM].case, run by run_case.py once for each rank count in the file name.
find_program(KRYLEARN_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(KRYLEARN_PYTHON NAMES python3)
if(NOT KRYLEARN_PYTHON)
  message(WARNING "python3 is missing: the command-line cases in tests/cases and tests/plugin do not run")
endif()

# Runs the case `file` with `program`, as test PREFIX.NAME.npN; variables of the environment may follow.
function(krylearn_case prefix file program)
  if(NOT KRYLEARN_PYTHON)
    return()
  endif()
  get_filename_component(file_name ${file} NAME)
  string(REGEX MATCH "^[^.]+" case ${file_name})
  string(REGEX MATCHALL "\\.np[0-9]+" counts ${file_name})
  foreach(count ${counts})
    string(REPLACE ".np" "" ranks ${count})
    set(name ${prefix}.${case}.np${ranks})
    add_test(NAME ${name}
             COMMAND ${KRYLEARN_PYTHON} ${CMAKE_SOURCE_DIR}/tests/run_case.py ${file} --app ${program} --ranks ${ranks}
                     --folder ${CMAKE_BINARY_DIR}/tests/cases/${case}.np${ranks} --source ${CMAKE_SOURCE_DIR}
                     --library $<TARGET_FILE:krylearn> -- ${launch} ${MPIEXEC_NUMPROC_FLAG})
    krylearn_rank_test(${name} ${ranks})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 ENVIRONMENT "${environment};${ARGN}")
  endforeach()
endfunction()

file(GLOB cases CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cases/*.case)
foreach(file ${cases})
  get_filename_component(file_name ${file} NAME)
  string(REGEX MATCH "^[^._]+" app ${file_name})
  if(file_name MATCHES "^train|torchscript|models" AND NOT TARGET krylearn_nn)
    continue()
  endif()
  if(TARGET ${app})
    krylearn_case(case ${file} $<TARGET_FILE:${app}>)
    if(file_name MATCHES torchscript)
      string(REGEX MATCHALL "[.]np[0-9]+" counts ${file_name})
      string(REGEX REPLACE "[.].*" "" case ${file_name})
      foreach(count ${counts})
        set_tests_properties(case.${case}${count} PROPERTIES FIXTURES_REQUIRED torchscript)
      endforeach()
    endif()
  else()
    message(WARNING "${file_name}: there is no program ${app}")
  endif()
endforeach()

# TorchScript modules for the cases that use some.
if(TARGET krylearn_nn)
  add_executable(write_torchscript write_torchscript.cpp)
  set_target_properties(write_torchscript PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(write_torchscript PRIVATE krylearn_options krylearn_nn)
  add_test(NAME torchscript.write COMMAND write_torchscript ${CMAKE_BINARY_DIR}/tests/cases/torchscript)
  set_tests_properties(torchscript.write PROPERTIES FIXTURES_SETUP torchscript)
endif()

# The example in Python, where Python has torch: a data set, a training, and a solve that takes half of CG's iterations.
if(KRYLEARN_PYTHON AND TARGET krylearn_nn AND TARGET dataset AND TARGET poisson)
  execute_process(COMMAND ${KRYLEARN_PYTHON} -c "import h5py, torch" RESULT_VARIABLE no_torch OUTPUT_QUIET ERROR_QUIET)
  if(no_torch)
    message(STATUS "torch or h5py is not installed for ${KRYLEARN_PYTHON}: the test of train_torchscript.py is left out")
  else()
    set(data ${CMAKE_BINARY_DIR}/tests/cases/example.h5)
    set(model ${CMAKE_BINARY_DIR}/tests/cases/example.pt)
    set(problem -problem obstacles -grid 32,32)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/tests/cases)
    add_test(NAME example.data.np1 COMMAND ${launch} ${MPIEXEC_NUMPROC_FLAG} 1 $<TARGET_FILE:dataset> ${problem}
                                           -count 8 -solutions 6 -o ${data})
    add_test(NAME example.train.np1 COMMAND ${KRYLEARN_PYTHON} ${CMAKE_SOURCE_DIR}/apps/train_torchscript.py ${data}
                                            ${model} --steps 150)
    add_test(NAME example.solve.np2 COMMAND ${launch} ${MPIEXEC_NUMPROC_FLAG} 2 $<TARGET_FILE:poisson> ${problem}
                                            -ksp_type dcdm -ksp_rtol 1e-6 -ksp_max_it 70 -pc_type neural
                                            -pc_neural_model ${model})
    krylearn_rank_test(example.data.np1 1)
    krylearn_rank_test(example.train.np1 1)
    krylearn_rank_test(example.solve.np2 2)
    set_tests_properties(example.data.np1 PROPERTIES FIXTURES_SETUP example_data)
    set_tests_properties(example.train.np1 PROPERTIES FIXTURES_REQUIRED example_data FIXTURES_SETUP example_model)
    set_tests_properties(example.solve.np2 PROPERTIES FIXTURES_REQUIRED example_model)
  endif()
endif()

# SIGKILL at random moments of writing.
if(KRYLEARN_PYTHON AND TARGET fluid)
  add_test(NAME kill_restart.np2
           COMMAND ${KRYLEARN_PYTHON} ${CMAKE_SOURCE_DIR}/tests/kill_restart.py --app $<TARGET_FILE:fluid>
                   --folder ${CMAKE_BINARY_DIR}/tests/cases/kill_restart -- ${launch} ${MPIEXEC_NUMPROC_FLAG} 2)
  krylearn_rank_test(kill_restart.np2 2)
  set_tests_properties(kill_restart.np2 PROPERTIES TIMEOUT 600)
endif()
if(KRYLEARN_PYTHON AND TARGET dataset)
  add_test(NAME kill_dataset.np2
           COMMAND ${KRYLEARN_PYTHON} ${CMAKE_SOURCE_DIR}/tests/kill_dataset.py --app $<TARGET_FILE:dataset>
                   --folder ${CMAKE_BINARY_DIR}/tests/cases/kill_dataset -- ${launch} ${MPIEXEC_NUMPROC_FLAG} 2)
  krylearn_rank_test(kill_dataset.np2 2)
  set_tests_properties(kill_dataset.np2 PROPERTIES TIMEOUT 600)
endif()

# The job scripts, without Slurm and with stand-ins for its commands.
find_program(KRYLEARN_BASH bash)
if(KRYLEARN_BASH AND TARGET krylearn_nn)
  add_test(NAME slurm.np2 COMMAND ${KRYLEARN_BASH} ${CMAKE_SOURCE_DIR}/tests/slurm.sh ${CMAKE_BINARY_DIR}/apps
                                  ${CMAKE_BINARY_DIR}/tests/cases/slurm)
  krylearn_rank_test(slurm.np2 2)
  set_tests_properties(slurm.np2 PROPERTIES TIMEOUT 600)
endif()
