# Command-line cases: APP_NAME.npN[.npM].case, run by run_case.py once for each rank count in the file name.
find_program(KRYLEARN_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(KRYLEARN_PYTHON NAMES python3)
file(GLOB cases CONFIGURE_DEPENDS cases/*.case)
foreach(file ${cases})
  get_filename_component(file_name ${file} NAME)
  string(REGEX MATCH "^[^._]+" app ${file_name})
  string(REGEX MATCH "^[^.]+" case ${file_name})
  string(REGEX MATCHALL "\\.np[0-9]+" counts ${file_name})
  if(NOT TARGET ${app})
    message(WARNING "${file_name}: there is no program ${app}")
  elseif(app STREQUAL train AND NOT TARGET krylearn_nn)
    continue()
  elseif(KRYLEARN_PYTHON)
    foreach(count ${counts})
      string(REPLACE ".np" "" ranks ${count})
      set(name case.${case}.np${ranks})
      add_test(NAME ${name}
               COMMAND ${KRYLEARN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/run_case.py ${file} --app $<TARGET_FILE:${app}>
                       --ranks ${ranks} --folder ${CMAKE_CURRENT_BINARY_DIR}/cases/${case}.np${ranks}
                       --source ${CMAKE_SOURCE_DIR} -- ${launch} ${MPIEXEC_NUMPROC_FLAG})
      krylearn_rank_test(${name} ${ranks})
      set_tests_properties(${name} PROPERTIES TIMEOUT 300)
    endforeach()
  endif()
endforeach()
if(cases AND NOT KRYLEARN_PYTHON)
  message(WARNING "python3 is missing: the command-line cases in tests/cases do not run")
endif()

# SIGKILL at random moments of writing.
if(KRYLEARN_PYTHON AND TARGET fluid)
  add_test(NAME kill_restart.np2
           COMMAND ${KRYLEARN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/kill_restart.py --app $<TARGET_FILE:fluid>
                   --folder ${CMAKE_CURRENT_BINARY_DIR}/cases/kill_restart -- ${launch} ${MPIEXEC_NUMPROC_FLAG} 2)
  krylearn_rank_test(kill_restart.np2 2)
  set_tests_properties(kill_restart.np2 PROPERTIES TIMEOUT 600)
endif()
