! The column physics of example 04 on the ranks of a parallel host: each has a block of the globe's columns, and all of
! them one law more: no net radiation, sum over the globe of area * radiation = 0. So what the globe gains is what the
! surface gave. Temperatures have the same bits on any number of ranks.
!
!   mpirun -n RANKS column_physics_mpi [--break] MODEL
! exit codes: 0 the globe's budget closes, 1 usage, 2 an error, 3 the budget does not close
program column_physics_mpi
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, real64
  use mpi
  use lavoisier
  use lavoisier_mpi
  implicit none

  integer, parameter :: globe = 90, nlev = 10, nproma = 16, days = 30
  real(real64), parameter :: gravity = 9.80665_real64, cp = 1004.64_real64, dt = 3600.0_real64
  real(real64), parameter :: heat_capacity = cp*1.0e5_real64/nlev/gravity  ! of a layer, J m-2 K-1
  real(real64), parameter :: lapse = 6.0_real64, pi = acos(-1.0_real64)
  ! Rounding alone: of temperatures of some hundred kelvin against the fluxes of a month.
  real(real64), parameter :: tolerance = 1.0e-12_real64

  real(real64), allocatable, target :: t(:, :), t_equilibrium(:, :), t_surface(:), heating(:, :), sensible(:), radiation(:)
  real(real64), allocatable, target :: area(:)
  real(real64) :: cosine(globe), part(globe)  ! of every column's latitude; its share of the globe
  real(real64), target :: coefficients(nlev + 2, 1, 1)  ! of heating, sensible, radiation; the same for every column
  type(lavoisier_model) :: model
  type(lavoisier_workspace) :: emulator
  type(lavoisier_global_laws) :: no_net_radiation
  type(lavoisier_global_closure) :: closure
  type(lavoisier_mpi_reducer) :: reducer
  real(real64) :: gained, gave, size_of_terms, now, worst_net
  character(256) :: argument, path
  character(512) :: errmsg
  integer(int64) :: step, bits
  integer :: i, rank, ranks, ncol, before, day, hour, first, stat, mine, ierr
  logical :: broken, closes

  call MPI_Init(ierr)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, ierr)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, ierr)
  broken = .false.
  path = ""
  do i = 1, command_argument_count()
    call get_command_argument(i, argument)
    if (argument == "--break") then
      broken = .true.
    else
      path = argument
    end if
  end do
  if (path == "") then
    if (rank == 0) write (error_unit, "(a)") "usage: column_physics_mpi [--break] MODEL"
    call MPI_Finalize(ierr)
    stop 1
  end if

  ! Rank 0 reads the model file, all verify it; a failure of one is everybody's.
  call lavoisier_initialize(threads=1, stat=stat, errmsg=errmsg)
  call agree()
  call lavoisier_mpi_load(model, MPI_COMM_WORLD, trim(path), stat=stat, errmsg=errmsg)
  if (stat /= 0) call give_up()
  call emulator%create(model, max_columns=nproma, seed=1_int64, global_rows=1, stat=stat, errmsg=errmsg)
  if (stat == 0) call no_net_radiation%create(model, stat=stat, errmsg=errmsg)
  call agree()
  call reducer%create(MPI_COMM_WORLD, stat=stat, errmsg=errmsg)
  if (stat /= 0) call give_up()

  ! This rank's columns: before + 1 .. before + ncol of the globe's. With many ranks some have none.
  before = globe*rank/ranks
  ncol = globe*(rank + 1)/ranks - before
  allocate (t(ncol, nlev), t_equilibrium(ncol, nlev), t_surface(ncol), heating(ncol, nlev), sensible(ncol), &
            radiation(ncol), area(ncol))
  coefficients = 0
  coefficients(nlev + 2, 1, 1) = 1
  call start()
  if (rank == 0) write (*, "(a)") "  day   gained J m-2   surface gave J m-2   largest relative net radiation"
  gained = -heat()
  gave = 0
  size_of_terms = 0
  worst_net = 0
  step = 0
  do day = 1, days
    do hour = 1, 24
      call force(step)
      ! Two phases: all columns draw under their own laws, one reduction, then all are corrected.
      call no_net_radiation%begin([0.0_real64], stat=stat, errmsg=errmsg)
      do first = 1, ncol, nproma
        if (stat == 0) call emulate(first, min(first + nproma - 1, ncol), .false.)
      end do
      mine = stat
      call no_net_radiation%close(mine, reducer%reduce(), reducer%context(), stat=stat, errmsg=errmsg)
      do first = 1, ncol, nproma
        if (stat == 0) call emulate(first, min(first + nproma - 1, ncol), .true.)
      end do
      mine = stat
      call no_net_radiation%finish(mine, reducer%reduce(), reducer%context(), stat=stat, errmsg=errmsg)
      if (stat /= 0) call give_up()
      call no_net_radiation%closure(1, closure)
      worst_net = max(worst_net, closure%relative_after)
      if (broken .and. ncol > 0) heating(ncol, 1) = heating(ncol, 1) + 1.0e-6_real64
      t = t + dt/heat_capacity*heating
      gave = gave + dt*over_globe(sum(area*sensible))
      size_of_terms = size_of_terms + dt*over_globe(sum(area*(abs(sensible) + abs(radiation) + sum(abs(heating), 2))))
      step = step + 1
    end do
    now = gained + heat()
    if (rank == 0 .and. modulo(day, 5) == 0) write (*, "(i5, 2es19.9, es25.1)") day, now, gave, worst_net
  end do
  gained = now

  ! NaN doesn't close either.
  closes = abs(gained - gave)/size_of_terms <= tolerance .and. worst_net <= 1.0e-14_real64
  bits = 0
  do i = 1, nlev
    do first = 1, ncol
      bits = ieor(bits, ishftc(transfer(t(first, i), bits), modulo(nlev*(before + first) + i, 64)))
    end do
  end do
  call write_result()
  call no_net_radiation%destroy()
  call emulator%destroy()
  call model%destroy()
  call reducer%destroy()
  call lavoisier_finalize()
  call MPI_Finalize(ierr)
  if (.not. closes) stop 3

contains

  ! What one rank alone can fail at: everybody goes on, or nobody. Collective calls agree by themselves.
  subroutine agree()
    mine = stat
    call lavoisier_mpi_agree(MPI_COMM_WORLD, mine, stat=stat, errmsg=errmsg)
    if (stat /= 0) call give_up()
  end subroutine agree

  subroutine give_up()
    if (rank == 0) write (error_unit, "(4a)") "column_physics_mpi: ", lavoisier_status_name(stat), ": ", trim(errmsg)
    call MPI_Finalize(ierr)
    stop 2
  end subroutine give_up

  real(real64) function over_globe(mine)
    real(real64), intent(in) :: mine
    call MPI_Allreduce(mine, over_globe, 1, MPI_DOUBLE_PRECISION, MPI_SUM, MPI_COMM_WORLD, ierr)
  end function over_globe

  ! The globe's, J m-2: areas sum to 1.
  real(real64) function heat()
    heat = heat_capacity*over_globe(sum(area*sum(t, 2)))
  end function heat

  ! The whole globe's on every rank, in loops of one length: vectors of sines round differently from single ones, so
  ! what a rank computes for its own columns alone may depend on how many it has.
  subroutine start()
    real(real64) :: latitude
    integer :: c, k
    do c = 1, globe
      latitude = pi*((c - 0.5_real64)/globe - 0.5_real64)
      cosine(c) = cos(latitude)
      part(c) = 0.5_real64*(sin(latitude + 0.5_real64*pi/globe) - sin(latitude - 0.5_real64*pi/globe))
    end do
    area = part(before + 1:before + ncol)
    do c = 1, ncol
      do k = 1, nlev
        t(c, k) = 262 + 35*cosine(before + c) - lapse*k
      end do
    end do
  end subroutine start

  subroutine force(step)
    integer(int64), intent(in) :: step
    real(real64) :: daily
    integer :: c, k
    daily = 4*sin(2*pi*modulo(step, 24_int64)/24)
    do c = 1, ncol
      t_surface(c) = 262 + 38*cosine(before + c) + daily*cosine(before + c)
      do k = 1, nlev
        t_equilibrium(c, k) = t_surface(c) - 5 - 0.8_real64*lapse*k
      end do
    end do
  end subroutine force

  ! A chunk of columns: drawn, or drawn again from the same counters and corrected.
  subroutine emulate(first, last, correct)
    integer, intent(in) :: first, last
    logical, intent(in) :: correct
    integer(int64) :: id
    id = before + first - 1
    call emulator%set_input("t", t(first:last, :), units="K", stat=stat, errmsg=errmsg)
    if (stat == 0) call emulator%set_input("t_equilibrium", t_equilibrium(first:last, :), units="K", stat=stat, &
                                           errmsg=errmsg)
    if (stat == 0) call emulator%set_input("t_surface", t_surface(first:last), units="K", stat=stat, errmsg=errmsg)
    if (stat == 0) call emulator%set_output("heating", heating(first:last, :), units="W m-2", stat=stat, errmsg=errmsg)
    if (stat == 0) call emulator%set_output("sensible", sensible(first:last), units="W m-2", stat=stat, errmsg=errmsg)
    if (stat == 0) call emulator%set_output("radiation", radiation(first:last), units="W m-2", stat=stat, errmsg=errmsg)
    if (stat /= 0) return
    if (correct) then
      call emulator%correct(step=step, first_column_id=id, global=no_net_radiation, global_coefficients=coefficients, &
                            global_weights=area(first:last), stat=stat, errmsg=errmsg)
    else
      call emulator%run(step=step, first_column_id=id, global=no_net_radiation, global_coefficients=coefficients, &
                        global_weights=area(first:last), stat=stat, errmsg=errmsg)
    end if
  end subroutine emulate

  subroutine write_result()
    integer(int64) :: all_bits
    call MPI_Allreduce(bits, all_bits, 1, MPI_INTEGER8, MPI_BXOR, MPI_COMM_WORLD, ierr)
    if (rank /= 0) return
    write (*, "(a, z16.16)") "temperatures: ", all_bits
    write (*, "(2a, es8.1)") "the globe's budget ", trim(merge("closes:        ", "does NOT close:", closes)), &
      abs(gained - gave)/size_of_terms
  end subroutine write_result

end program column_physics_mpi
