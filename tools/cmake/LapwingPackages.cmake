# The libraries Lapwing stands on, each as one imported target lw::<name>. Debian's package names are in tools/packages.
find_package(PkgConfig REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)

function(lw_import name)
  # lw_import(NAME HEADERS h... INCLUDES dir... LIBRARIES lib...): an interface target from files that must exist
  cmake_parse_arguments(P "" "" "HEADERS;SUBDIRS;LIBRARIES" ${ARGN})
  add_library(lw::${name} INTERFACE IMPORTED GLOBAL)
  foreach(header IN LISTS P_HEADERS)
    find_path(LW_${name}_INCLUDE ${header} PATH_SUFFIXES ${P_SUBDIRS} REQUIRED)
    target_include_directories(lw::${name} SYSTEM INTERFACE ${LW_${name}_INCLUDE})
  endforeach()
  foreach(library IN LISTS P_LIBRARIES)
    find_library(LW_${name}_${library} ${library} REQUIRED PATH_SUFFIXES hdf5/openmpi openblas-pthread)
    target_link_libraries(lw::${name} INTERFACE ${LW_${name}_${library}})
  endforeach()
endfunction()

add_library(lw::mpi INTERFACE IMPORTED GLOBAL)
target_include_directories(lw::mpi SYSTEM INTERFACE ${MPI_C_INCLUDE_DIRS})
target_link_libraries(lw::mpi INTERFACE ${MPI_C_LIBRARIES})

# threads of the time loop
find_package(Threads REQUIRED)
add_library(lw::threads INTERFACE IMPORTED GLOBAL)
target_link_libraries(lw::threads INTERFACE ${CMAKE_THREAD_LIBS_INIT})

lw_import(random123 HEADERS Random123/philox.h)
lw_import(openblas HEADERS cblas.h SUBDIRS x86_64-linux-gnu/openblas-pthread openblas-pthread openblas LIBRARIES openblas)
lw_import(scalapack LIBRARIES scalapack-openmpi)
lw_import(hdf5 HEADERS hdf5.h SUBDIRS hdf5/openmpi LIBRARIES hdf5)
lw_import(zlib HEADERS zlib.h LIBRARIES z)
lw_import(yaml HEADERS yaml.h LIBRARIES yaml)
lw_import(json HEADERS jansson.h LIBRARIES jansson)
lw_import(fftw HEADERS fftw3.h LIBRARIES fftw3)
lw_import(scotch HEADERS ptscotch.h SUBDIRS scotch LIBRARIES ptscotch scotch ptscotcherr)
