!> plugin_mpi for Fortran hosts: lavoisier_mpi.h beside module lavoisier, whose rules hold. Communicators are integers,
!! as of module mpi; of mpi_f08 it is comm%mpi_val. All procedures but the functions are collective: a failure of any
!! rank is the same status with the same message on every rank.
module lavoisier_mpi
  use, intrinsic :: iso_c_binding, only: c_associated, c_char, c_funloc, c_funptr, c_int, c_int64_t, c_null_char, &
    c_null_ptr, c_ptr, c_size_t
  use, intrinsic :: iso_fortran_env, only: error_unit
  use lavoisier, only: lavoisier_last_error, lavoisier_model, lavoisier_status_name
  implicit none
  private

  public :: lavoisier_mpi_load, lavoisier_mpi_agree

  !> The reduction of global laws, made once: call laws%close(status, reducer%reduce(), reducer%context()). Destroying
  !! it is collective too, so it has no FINAL: destroy it before MPI_Finalize. Copies are the same reducer.
  type, public :: lavoisier_mpi_reducer
    private
    type(c_ptr) :: handle = c_null_ptr
  contains
    procedure :: create => reducer_create
    procedure :: destroy => reducer_destroy
    procedure, nopass :: reduce => reducer_reduce
    procedure :: context => reducer_context
  end type lavoisier_mpi_reducer

  interface
    function lav_mpi_model_load_f(communicator, root, path, model) bind(c) result(status)
      import :: c_char, c_int, c_ptr
      integer(c_int), value :: communicator
      integer(c_int), value :: root
      character(kind=c_char), intent(in) :: path(*)
      type(c_ptr), intent(out) :: model
      integer(c_int) :: status
    end function lav_mpi_model_load_f
    function lav_mpi_agree_f(communicator, mine) bind(c) result(status)
      import :: c_int
      integer(c_int), value :: communicator
      integer(c_int), value :: mine
      integer(c_int) :: status
    end function lav_mpi_agree_f
    function lav_mpi_reducer_create_f(communicator, reducer) bind(c) result(status)
      import :: c_int, c_ptr
      integer(c_int), value :: communicator
      type(c_ptr), intent(out) :: reducer
      integer(c_int) :: status
    end function lav_mpi_reducer_create_f
    subroutine lav_mpi_reducer_destroy(reducer) bind(c)
      import :: c_ptr
      type(c_ptr), value :: reducer
    end subroutine lav_mpi_reducer_destroy
    function lav_mpi_reduce(reducer, words, count) bind(c) result(status)
      import :: c_int, c_int64_t, c_ptr, c_size_t
      type(c_ptr), value :: reducer
      integer(c_int64_t), intent(inout) :: words(*)
      integer(c_size_t), value :: count
      integer(c_int) :: status
    end function lav_mpi_reduce
  end interface

contains

  !> Rank `root` (default 0) reads the model file and broadcasts it; every rank verifies and prepares it. `path` counts
  !! on `root` alone.
  subroutine lavoisier_mpi_load(model, communicator, path, root, stat, errmsg)
    type(lavoisier_model), intent(inout) :: model
    integer, intent(in) :: communicator
    character(*), intent(in) :: path
    integer, intent(in), optional :: root
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_ptr) :: handle
    integer(c_int) :: reading, status
    call model%destroy()
    reading = 0
    if (present(root)) reading = int(root, c_int)
    status = lav_mpi_model_load_f(int(communicator, c_int), reading, trim(path)//c_null_char, handle)
    if (c_associated(handle)) call model%adopt(handle)
    call conclude(status, stat, errmsg)
  end subroutine lavoisier_mpi_load

  !> The failure of the lowest rank that has one, on every rank, as stat and errmsg.
  subroutine lavoisier_mpi_agree(communicator, status, stat, errmsg)
    integer, intent(in) :: communicator, status
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call conclude(lav_mpi_agree_f(int(communicator, c_int), int(status, c_int)), stat, errmsg)
  end subroutine lavoisier_mpi_agree

  subroutine reducer_create(self, communicator, stat, errmsg)
    class(lavoisier_mpi_reducer), intent(inout) :: self
    integer, intent(in) :: communicator
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call self%destroy()
    call conclude(lav_mpi_reducer_create_f(int(communicator, c_int), self%handle), stat, errmsg)
  end subroutine reducer_create

  subroutine reducer_destroy(self)
    class(lavoisier_mpi_reducer), intent(inout) :: self
    call lav_mpi_reducer_destroy(self%handle)
    self%handle = c_null_ptr
  end subroutine reducer_destroy

  function reducer_reduce() result(reduce)
    type(c_funptr) :: reduce
    reduce = c_funloc(lav_mpi_reduce)
  end function reducer_reduce

  function reducer_context(self) result(context)
    class(lavoisier_mpi_reducer), intent(in) :: self
    type(c_ptr) :: context
    context = self%handle
  end function reducer_context

  subroutine conclude(status, stat, errmsg)
    integer(c_int), intent(in) :: status
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    if (present(stat)) stat = int(status)
    if (status == 0) return
    if (present(errmsg)) errmsg = lavoisier_last_error()
    if (present(stat)) return
    write (error_unit, "(4a)") "lavoisier: ", lavoisier_status_name(int(status)), ": ", lavoisier_last_error()
    error stop 1
  end subroutine conclude

end module lavoisier_mpi
