# Installation: program, library, headers, CMake package lapwing::lapwing and pkg-config file.
include(GNUInstallDirs)
if(TARGET lapwing)
  install(TARGETS lapwing RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET liblapwing)
  install(TARGETS liblapwing EXPORT lapwing-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY include/lapwing DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
