! The Fortran module alone: starts and ends Kokkos through the plugin, and meets an error as stat and errmsg.
program host
  use lavoisier
  implicit none
  type(lavoisier_model) :: model
  integer :: stat
  character(200) :: errmsg
  call lavoisier_initialize()
  call model%load("/nonexistent/model.safetensors", stat=stat, errmsg=errmsg)
  write (*, "(5a)") lavoisier_status_name(stat), ": ", trim(errmsg), ", lavoisier ", lavoisier_version()
  call lavoisier_finalize()
  if (stat /= lavoisier_not_found .or. index(errmsg, "/nonexistent/model.safetensors") == 0) error stop 1
end program host
