# SPDX-License-Identifier: Apache-2.0
# The few build functions that every folder uses.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(tb_flags INTERFACE)
target_compile_options(tb_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wvla -Wstrict-prototypes -Wmissing-prototypes
  -Werror -ffp-contract=off -fno-strict-aliasing -fno-common)
# gcc 12 cannot follow "written unless an error was returned" through TRY at -O3; clang's analysis of the same code stays on.
target_compile_options(tb_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
target_include_directories(tb_flags INTERFACE
  ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/schema ${CMAKE_BINARY_DIR}/gen)

# tb_library(name SOURCES a.c ... LIBS b ...): one static library for one folder.
function(tb_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC tb_flags ${A_LIBS})
endfunction()

# tb_test(name SOURCES x_test.c ... LIBS lib ... [ARGS ...]): one cmocka program, registered with CTest.
function(tb_test name)
  if(NOT TB_TESTS)
    return()
  endif()
  cmake_parse_arguments(A "" "" "SOURCES;LIBS;ARGS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_compile_definitions(${name} PRIVATE TB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE tb_flags ${A_LIBS} cmocka)
  add_test(NAME ${name} COMMAND ${name} ${A_ARGS})
endfunction()

# tb_oracle(name NEEDS module ... COMMAND args ...): a test by Debian's Python (its libraries are packaged for that one only), skipped by name where
# a module is missing. What it checks is the same in every build, so it carries a label that the sanitizer runs leave out.
function(tb_oracle name)
  if(NOT TB_TESTS OR CMAKE_CROSSCOMPILING)
    return()
  endif()
  cmake_parse_arguments(A "" "" "NEEDS;COMMAND" ${ARGN})
  list(JOIN A_NEEDS " " needs)
  add_test(NAME ${name} COMMAND sh ${CMAKE_SOURCE_DIR}/tests/oracle.sh ${name} "${needs}" ${A_COMMAND})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 LABELS oracle)
endfunction()

# tb_fuzz(name SOURCES f.c LIBS lib ...): a libFuzzer target; its seeds lie in fuzz/corpus/<name>.
function(tb_fuzz name)
  if(NOT TB_FUZZ)
    return()
  endif()
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE tb_flags ${A_LIBS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()

# tb_bench(name SOURCES b.c LIBS lib ...): a program that measures ours against a rival in one run.
function(tb_bench name)
  if(NOT TB_BENCH)
    return()
  endif()
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE tb_flags ${A_LIBS})
endfunction()
