! The module lavoisier_mpi by real ranks: a model read by one, a failure of one told to all, global laws over all.
program fortran_mpi_test
  use, intrinsic :: iso_c_binding, only: c_char, c_int, c_null_char
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, real64
  use mpi
  use lavoisier
  use lavoisier_mpi
  implicit none

  interface
    function fixture_write(path, levels) bind(c) result(failed)
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int), value :: levels
      integer(c_int) :: failed
    end function fixture_write
  end interface

  integer, parameter :: levels = 5
  type(lavoisier_model) :: model
  type(lavoisier_workspace) :: workspace
  type(lavoisier_global_laws) :: laws
  type(lavoisier_global_closure) :: closure
  type(lavoisier_mpi_reducer) :: reducer
  real(real64), allocatable, target :: t(:, :), p(:), heating(:, :), flux(:)
  real(real64), target :: b(levels + 1, 1, 1)
  real(real64) :: total
  character(300) :: errmsg
  character(*), parameter :: path = "fortran_mpi_test.safetensors"
  integer :: ierr, rank, ranks, columns, first, c, stat, failures

  failures = 0
  call MPI_Init(ierr)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, ierr)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, ierr)
  call lavoisier_initialize(threads=1)
  if (rank == 0) call check(fixture_write(path//c_null_char, int(levels, c_int)) == 0, "the model is written")
  call lavoisier_mpi_load(model, MPI_COMM_WORLD, path, stat=stat, errmsg=errmsg)
  call check(stat == 0 .and. model%is_loaded(), "load: "//errmsg)
  block
    type(lavoisier_model) :: none
    call lavoisier_mpi_load(none, MPI_COMM_WORLD, "no such file", root=ranks - 1, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_not_found .and. index(errmsg, "no such file") > 0, "a missing file: "//errmsg)
    call check(.not. none%is_loaded(), "no model is left")
  end block
  call lavoisier_mpi_agree(MPI_COMM_WORLD, lavoisier_ok)
  call lavoisier_mpi_agree(MPI_COMM_WORLD, merge(lavoisier_no_space, lavoisier_ok, rank == ranks - 1), stat=stat)
  call check(stat == lavoisier_no_space, "a failure of one is everybody's")

  columns = 10 + 3*rank
  first = 10*rank + 3*rank*(rank - 1)/2
  allocate (t(levels, columns), p(columns), heating(levels, columns), flux(columns))
  do c = 1, columns
    t(:, c) = modulo(first + c, 7)*0.3_real64 - 1
    p(c) = modulo(first + c, 5)*0.4_real64 - 1
  end do
  b = 0
  b(levels + 1, 1, 1) = 1
  call workspace%create(model, max_columns=columns, seed=1_int64, global_rows=1)
  call workspace%set_input("t", t, units="K", layout="ec")
  call workspace%set_input("p", p, units="Pa")
  call workspace%set_output("heating", heating, units="W m-2", layout="ec")
  call workspace%set_output("flux", flux, units="W m-2")
  call reducer%create(MPI_COMM_WORLD)
  call laws%create(model)
  call laws%begin([0.0_real64])
  call workspace%run(first_column_id=int(first, int64), global=laws, global_coefficients=b, stat=stat, errmsg=errmsg)
  call check(stat == 0, "run: "//errmsg)
  call laws%close(stat, reducer%reduce(), reducer%context())
  call workspace%correct(first_column_id=int(first, int64), global=laws, global_coefficients=b, stat=stat, &
                         errmsg=errmsg)
  call check(stat == 0, "correct: "//errmsg)
  call laws%finish(stat, reducer%reduce(), reducer%context())
  call MPI_Allreduce(sum(flux), total, 1, MPI_DOUBLE_PRECISION, MPI_SUM, MPI_COMM_WORLD, ierr)
  call check(abs(total) < 1e-10_real64, "no net flux over all ranks")
  call laws%closure(1, closure)
  call check(closure%columns == 10*ranks + 3*ranks*(ranks - 1)/2, "columns of all ranks")
  call check(closure%relative_after <= 1e-14_real64, "closure")
  call laws%begin([0.0_real64])
  call laws%close(merge(lavoisier_io_error, lavoisier_ok, rank == 0), reducer%reduce(), reducer%context(), stat, errmsg)
  call check(stat == lavoisier_io_error, "a rank that failed: "//errmsg)

  call laws%destroy()
  call workspace%destroy()
  call model%destroy()
  call reducer%destroy()
  call lavoisier_finalize()
  call MPI_Allreduce(MPI_IN_PLACE, failures, 1, MPI_INTEGER, MPI_SUM, MPI_COMM_WORLD, ierr)
  call MPI_Finalize(ierr)
  if (failures > 0) error stop 1

contains

  subroutine check(condition, what)
    logical, intent(in) :: condition
    character(*), intent(in) :: what
    if (condition) return
    failures = failures + 1
    write (error_unit, "(a, i0, 2a)") "rank ", rank, ": FAILED: ", what
  end subroutine check

end program fortran_mpi_test
