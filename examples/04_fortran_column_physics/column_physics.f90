! A host of column physics: temperatures of (ncol, nlev), stepped hourly for a year, in chunks of nproma columns, as
! weather and climate models call their physics. First with its own scheme, then with the emulator in its place. The
! host keeps its own budget: what the columns gained is what the fluxes brought. On the emulator's first day the scheme
! runs beside it, and a monitor compares the two.
!
!   column_physics [--break] MODEL     exit codes: 0 both budgets close, 1 usage, 2 an error, 3 a budget does not close
program column_physics
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, real64
  use lavoisier
  implicit none

  integer, parameter :: ncol = 64, nlev = 10, nproma = 16, hours_a_month = 730, months = 12
  real(real64), parameter :: gravity = 9.80665_real64, cp = 1004.64_real64, dt = 3600.0_real64
  real(real64), parameter :: heat_capacity = cp*1.0e5_real64/nlev/gravity  ! of a layer, J m-2 K-1
  ! The scheme: relaxation, exchange between layers, exchange with the surface.
  real(real64), parameter :: relaxation = heat_capacity/(20*86400.0_real64), exchange = 5.0_real64  ! W m-2 K-1
  real(real64), parameter :: lapse = 6.0_real64, surface_exchange = 15.0_real64                     ! K a layer
  real(real64), parameter :: pi = acos(-1.0_real64)
  ! Rounding alone: of a temperature of some hundred kelvin, a year long, against the fluxes of a year.
  real(real64), parameter :: tolerance = 1.0e-12_real64

  ! Layer 1 is the lowest. The emulator takes its fields where they lie: TARGET.
  real(real64), target :: t(ncol, nlev), t_equilibrium(ncol, nlev), t_surface(ncol)
  real(real64), target :: heating(ncol, nlev), sensible(ncol), radiation(ncol)
  real(real64), target :: own_heating(ncol, nlev), own_sensible(ncol), own_radiation(ncol)  ! the scheme's, of that day
  real(real64) :: climate(ncol, nlev, 2)
  type(lavoisier_model) :: model
  type(lavoisier_workspace) :: emulator
  type(lavoisier_monitor) :: monitor
  character(256) :: argument, path
  logical :: broken, closed(2)
  integer :: i, stat
  character(512) :: errmsg

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
    write (error_unit, "(a)") "usage: column_physics [--break] MODEL"
    stop 1
  end if

  call lavoisier_initialize(stat=stat, errmsg=errmsg)
  if (stat == 0) call model%load(trim(path), stat=stat, errmsg=errmsg)
  if (stat == 0) call emulator%create(model, max_columns=nproma, seed=1_int64, stat=stat, errmsg=errmsg)
  if (stat == 0) call monitor%create(model, steps=24_int64, stop=.true., log="column_physics.csv", stat=stat, &
                                     errmsg=errmsg)
  if (stat /= 0) call give_up()
  write (*, "(6a)") "lavoisier ", lavoisier_version(), ", model ", model%digest(), ", on ", emulator%backend()

  call step_year(.false., closed(1))
  call step_year(.true., closed(2))
  call compare_first_day()
  write (*, "(a, f6.3, a)") "annual mean temperatures, emulator against scheme: rms ", &
    sqrt(sum((climate(:, :, 2) - climate(:, :, 1))**2)/(ncol*nlev)), " K"
  if (maxval(abs(climate(:, :, 2) - climate(:, :, 1))) > 1) then
    write (error_unit, "(a)") "the emulator's climate is not the scheme's"
    stop 3
  end if

  ! Variables of the main program don't go out of scope.
  call monitor%destroy()
  call emulator%destroy()
  call model%destroy()
  call lavoisier_finalize()
  if (.not. all(closed)) stop 3

contains

  subroutine give_up()
    write (error_unit, "(4a)") "column_physics: ", lavoisier_status_name(stat), ": ", trim(errmsg)
    stop 2
  end subroutine give_up

  subroutine step_year(with_emulator, closes)
    logical, intent(in) :: with_emulator
    logical, intent(out) :: closes
    real(real64) :: before(ncol), brought(ncol), size_of_terms(ncol), mean_sensible, worst
    integer(int64) :: step, flagged
    integer :: month, hour, first, last

    call start()
    climate(:, :, merge(2, 1, with_emulator)) = 0
    write (*, "(/, a)") trim(merge("with the emulator     ", "with the host's scheme", with_emulator))
    write (*, "(a)") " month   gained W m-2   brought W m-2   of which sensible   largest relative residual"
    closes = .true.
    step = 0
    flagged = 0
    do month = 1, months
      before = heat()
      brought = 0
      size_of_terms = 0
      mean_sensible = 0
      do hour = 1, hours_a_month
        call force(step)
        do first = 1, ncol, nproma
          last = min(first + nproma - 1, ncol)
          if (with_emulator) then
            call emulate(first, last, step, flagged)
          else
            call scheme(first, last)
          end if
        end do
        if (with_emulator) call monitor%end_step(step, stat=stat, errmsg=errmsg)
        if (stat /= 0) call give_up()
        if (broken) heating(ncol/2, nlev) = heating(ncol/2, nlev) + 1.0e-6_real64
        t = t + dt/heat_capacity*heating
        brought = brought + dt*(sensible + radiation)
        mean_sensible = mean_sensible + sum(sensible)/ncol/hours_a_month
        size_of_terms = size_of_terms + dt*(abs(sensible) + abs(radiation) + sum(abs(heating), 2))
        climate(:, :, merge(2, 1, with_emulator)) = climate(:, :, merge(2, 1, with_emulator)) + t/(months*hours_a_month)
        step = step + 1
      end do
      worst = maxval(abs(heat() - before - brought)/size_of_terms)
      write (*, "(i6, 2f15.6, f20.6, es28.1)") month, sum(heat() - before)/ncol/(dt*hours_a_month), &
        sum(brought)/ncol/(dt*hours_a_month), mean_sensible, worst
      ! NaN doesn't close either.
      if (.not. worst <= tolerance) closes = .false.
    end do
    if (with_emulator) write (*, "(i0, a)") flagged, " columns and steps outside the training range"
    write (*, "(2a)") "the heat budget ", trim(merge("closes        ", "does NOT close", closes))
  end subroutine step_year

  ! What the monitor saw at the end of the first day.
  subroutine compare_first_day()
    type(lavoisier_monitor_closure) :: law
    type(lavoisier_monitor_skill) :: skill
    type(lavoisier_variable) :: variable
    integer :: v
    call monitor%law_closure(1, law)
    write (*, "(/, a, es8.1, a, i0)") "hour 24 beside the scheme: the law's largest relative residual", law%max_relative, &
      ", in column ", law%worst_id + 1
    do v = 1, model%output_count()
      call model%output(v, variable)
      call monitor%skill(v, skill)
      write (*, "(2a, f8.3, a, f8.3, 2a)") variable%name, ": bias", skill%bias, ", rmse", skill%rmse, " ", variable%units
      ! The emulator's noise has a deviation of 1.5 W m-2.
      if (.not. (abs(skill%bias) < 1 .and. skill%rmse < 5)) then
        write (error_unit, "(a)") "the emulator is not the scheme's"
        stop 3
      end if
    end do
  end subroutine compare_first_day

  ! The columns' heat, J m-2.
  function heat()
    real(real64) :: heat(ncol)
    heat = heat_capacity*sum(t, 2)
  end function heat

  pure real(real64) function latitude(c)
    integer, intent(in) :: c
    latitude = pi*((c - 0.5_real64)/ncol - 0.5_real64)
  end function latitude

  subroutine start()
    integer :: c, k
    do c = 1, ncol
      do k = 1, nlev
        t(c, k) = 262 + 35*cos(latitude(c)) - lapse*k
      end do
    end do
  end subroutine start

  ! The season, and the day.
  subroutine force(step)
    integer(int64), intent(in) :: step
    real(real64) :: year, day
    integer :: c, k
    year = 2*pi*step/(months*hours_a_month)
    day = 2*pi*modulo(step, 24_int64)/24
    do c = 1, ncol
      t_surface(c) = 262 + 38*cos(latitude(c)) + 12*sin(latitude(c))*sin(year) + 4*cos(latitude(c))*sin(day)
      do k = 1, nlev
        t_equilibrium(c, k) = t_surface(c) - 5 - 0.8_real64*lapse*k
      end do
    end do
  end subroutine force

  ! Heating of each layer, W m-2, and what comes through the boundaries.
  subroutine scheme(first, last)
    integer, intent(in) :: first, last
    real(real64) :: up
    integer :: c, k
    do c = first, last
      sensible(c) = surface_exchange*(t_surface(c) - t(c, 1))
      heating(c, :) = relaxation*(t_equilibrium(c, :) - t(c, :))
      radiation(c) = sum(heating(c, :))
      heating(c, 1) = heating(c, 1) + sensible(c)
      do k = 1, nlev - 1
        up = exchange*(t(c, k) - t(c, k + 1) - lapse)
        heating(c, k) = heating(c, k) - up
        heating(c, k + 1) = heating(c, k + 1) + up
      end do
    end do
  end subroutine scheme

  ! The same of a chunk of columns, drawn by the emulator: sections of the host's fields, taken by stride.
  subroutine emulate(first, last, step, flagged)
    integer, intent(in) :: first, last
    integer(int64), intent(in) :: step
    integer(int64), intent(inout) :: flagged
    type(lavoisier_report) :: report
    integer :: status(first:last)
    if (monitor%is_active()) then
      call scheme(first, last)
      own_heating(first:last, :) = heating(first:last, :)
      own_sensible(first:last) = sensible(first:last)
      own_radiation(first:last) = radiation(first:last)
    end if
    call emulator%set_input("t", t(first:last, :), units="K", stat=stat, errmsg=errmsg)
    if (stat == 0) call emulator%set_input("t_equilibrium", t_equilibrium(first:last, :), units="K", stat=stat, &
                                           errmsg=errmsg)
    if (stat == 0) call emulator%set_input("t_surface", t_surface(first:last), units="K", stat=stat, errmsg=errmsg)
    if (stat == 0) call emulator%set_output("heating", heating(first:last, :), units="W m-2", stat=stat, errmsg=errmsg)
    if (stat == 0) call emulator%set_output("sensible", sensible(first:last), units="W m-2", stat=stat, errmsg=errmsg)
    if (stat == 0) call emulator%set_output("radiation", radiation(first:last), units="W m-2", stat=stat, &
                                            errmsg=errmsg)
    if (stat == 0) call emulator%run(step=step, first_column_id=int(first - 1, int64), status=status, report=report, &
                                     stat=stat, errmsg=errmsg)
    if (stat /= 0) call give_up()
    if (monitor%is_active()) call watch(first, last, status)
    if (report%columns /= last - first + 1) then
      write (error_unit, "(a)") "column_physics: columns without a result"
      stop 2
    end if
    flagged = flagged + report%out_of_range
  end subroutine emulate

  ! The chunk, beside what the scheme makes of it.
  subroutine watch(first, last, status)
    integer, intent(in) :: first, last, status(:)
    call monitor%set_output("heating", own_heating(first:last, :), units="W m-2", stat=stat, errmsg=errmsg)
    if (stat == 0) call monitor%set_output("sensible", own_sensible(first:last), units="W m-2", stat=stat, &
                                           errmsg=errmsg)
    if (stat == 0) call monitor%set_output("radiation", own_radiation(first:last), units="W m-2", stat=stat, &
                                           errmsg=errmsg)
    if (stat == 0) call monitor%add(emulator, first_column_id=int(first - 1, int64), status=status, stat=stat, &
                                    errmsg=errmsg)
    if (stat /= 0) call give_up()
  end subroutine watch

end program column_physics
