! A host's constants, flagged inputs and the monitor through the module lavoisier.
module warnings
  use, intrinsic :: iso_fortran_env, only: int64
  implicit none
  integer :: warned = 0
  character(2000) :: last_warning = ""
contains
  subroutine note(message)
    character(*), intent(in) :: message
    warned = warned + 1
    last_warning = message
  end subroutine note
end module warnings

program fortran_monitor_test
  use, intrinsic :: iso_c_binding
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, real32, real64
  use, intrinsic :: ieee_arithmetic
  use lavoisier
  use warnings
  implicit none

  interface
    function fixture_write(path, levels) bind(c) result(failed)
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int), value :: levels
      integer(c_int) :: failed
    end function fixture_write
  end interface

  integer, parameter :: levels = 5, columns = 40, nproma = 16, blocks = 3
  character(*), parameter :: path = "fortran_monitor_test.safetensors", log = "fortran_monitor_test.csv"
  type(lavoisier_model) :: model
  real(real64), target :: t(columns, levels), p(columns), heating(columns, levels), flux(columns)
  real(real64), target :: own_heating(columns, levels), own_flux(columns)
  integer :: status(columns), failures = 0

  call lavoisier_initialize(threads=2)
  call check(fixture_write(path//c_null_char, int(levels, c_int)) == 0, "the model is written")
  call model%load(path)
  call constants()
  call fill()
  call figures()
  call chunks()
  call violations()
  call refusals()
  call flags()
  call model%destroy()
  call lavoisier_finalize()
  if (failures > 0) error stop 1
  write (*, "(a)") "all passed"

contains

  subroutine check(condition, what)
    logical, intent(in) :: condition
    character(*), intent(in) :: what
    if (condition) return
    failures = failures + 1
    write (error_unit, "(2a)") "FAILED: ", what
  end subroutine check

  subroutine constants()
    type(lavoisier_model) :: own
    type(lavoisier_constant) :: constant
    type(lavoisier_workspace) :: workspace
    real(real64), parameter :: one = 1 + 4.0e-8_real64
    integer :: stat
    character(400) :: errmsg
    own = model
    call check(own%constant_count() == 1, "there is a constant")
    call own%set_constants(["one "], [one], units=["1"])
    call own%constant(1, constant)
    call check(constant%name == "one" .and. constant%units == "1", "it has a name and units")
    call check(constant%value == one .and. constant%file_value == 1, "and the host's value")
    call model%constant(1, constant)
    call check(constant%value == 1, "the model that shared it is as it was")
    call own%set_constants(["one"], [1.1_real64], stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_out_of_range .and. index(errmsg, "the host has 1.1, the model file 1;") > 0, errmsg)
    call own%constant(1, constant)
    call check(constant%value == one, "a refused constant changes nothing")
    call own%set_constants(["two"], [1.0_real64], stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_not_found .and. index(errmsg, "no constant 'two'") > 0, errmsg)
    call own%set_constants(["one"], [one], units=["K"], stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_unit_mismatch, errmsg)
    call own%set_constants(["one"], [one, one], stat=stat)
    call check(stat == lavoisier_shape_mismatch, "a value for each name")
    call own%set_constants(["one"], [one], units=["1", "1"], stat=stat)
    call check(stat == lavoisier_shape_mismatch, "units for each name")
    call own%set_coordinate("level", [1.0_real64, 2.0_real64, 3.0_real64, 4.0_real64, 5*one])
    call own%set_coordinate("level", [1.0_real64, 2.0_real64], stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_shape_mismatch .and. index(errmsg, "expected 5 values, found 2") > 0, errmsg)
    call own%set_coordinate("level", [1.0_real64, 2.0_real64, 3.0_real64, 4.0_real64, 6.0_real64], stat=stat)
    call check(stat == lavoisier_out_of_range, "another coordinate is refused")
    call own%set_coordinate("levl", [1.0_real64], stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_not_found .and. index(errmsg, "did you mean 'level'") > 0, errmsg)
    ! The laws close with the host's number, and with no other.
    call fill()
    call workspace%create(own, seed=3_int64)
    call bind(workspace)
    call workspace%run(status=status)
    call check(maxval(abs(one*sum(heating, 2) - flux)/(one*sum(abs(heating), 2) + abs(flux))) <= 1e-14_real64, &
               "laws close with the host's constant")
    call check(maxval(abs(sum(heating, 2) - flux)) > 1e-10_real64, "and with no other")
  end subroutine constants

  subroutine fill()
    integer :: c, l
    do c = 1, columns
      p(c) = real(modulo(7*c, 29), real64)/8 - 1.5_real64
      t(c, :) = [(real(modulo(11*c + 5*l, 31), real64)/8 - 2, l=1, levels)]
    end do
  end subroutine fill

  subroutine bind(workspace)
    type(lavoisier_workspace), intent(inout) :: workspace
    call workspace%set_input("t", t, units="K")
    call workspace%set_input("p", p)
    call workspace%set_output("heating", heating)
    call workspace%set_output("flux", flux)
  end subroutine bind

  ! A run, and the host's own outputs a little beside it: 1 W m-2 more in the lowest level, and every flux twice.
  subroutine run(workspace)
    type(lavoisier_workspace), intent(inout) :: workspace
    call fill()
    p(7) = ieee_value(p(7), ieee_quiet_nan)
    t(9, 3) = 50
    flux = 0
    heating = 0
    call workspace%create(model, seed=3_int64)
    call bind(workspace)
    status = -1
    call workspace%run(status=status)
    own_heating = heating
    own_heating(:, 1) = own_heating(:, 1) + 1
    own_flux = 2*flux
  end subroutine run

  subroutine figures()
    type(lavoisier_workspace) :: workspace
    type(lavoisier_monitor) :: monitor
    type(lavoisier_monitor_report) :: report
    type(lavoisier_monitor_closure) :: closure
    type(lavoisier_monitor_skill) :: skill
    real(real64) :: residual(columns), size_of_terms(columns), error(columns, levels)
    logical :: with(columns)
    integer :: worst(1), i, stat
    call run(workspace)
    with = status /= lavoisier_non_finite
    call monitor%create(model)
    call monitor%set_output("heating", own_heating, units="W/m2")
    call monitor%set_output("flux", own_flux)
    call monitor%add(workspace, first_column_id=100_int64, status=status)
    call monitor%end_step(5_int64)
    call monitor%report(report)
    call check(report%step == 5 .and. report%columns == columns - 1 .and. report%left_out == 1, "columns are counted")
    call check(report%out_of_range == 1 .and. .not. report%violated .and. report%message == "", "and flagged")
    call monitor%law_closure(1, closure)
    call check(closure%max_relative <= 1e-14_real64 .and. closure%tolerance == 1e-14_real64, "the emulator closes")
    call check(closure%columns == columns - 1 .and. closure%relative .and. .not. closure%violated, "everywhere")
    call monitor%law_closure(1, closure, original=.true.)
    residual = merge(sum(own_heating, 2) - own_flux, 0.0_real64, with)
    size_of_terms = sum(abs(own_heating), 2) + abs(own_flux) + merge(0.0_real64, 1.0_real64, with)
    worst = maxloc(abs(residual)/size_of_terms)
    call check(closure%worst_column == worst(1) .and. closure%worst_id == worst(1) + 99, "worst column and id")
    call check(abs(closure%max_absolute - maxval(abs(residual))) < 1e-10_real64, "largest residual")
    call check(abs(closure%rms - sqrt(sum(residual**2)/(columns - 1))) < 1e-10_real64, "rms")
    call check(abs(closure%max_relative - maxval(abs(residual)/size_of_terms)) < 1e-14_real64, "relative")
    call check(closure%violated .and. size(closure%terms) == levels + 1 .and. closure%right_hand_side == 0, "terms")
    do i = 1, levels
      call check(closure%terms(i)%variable == "heating" .and. closure%terms(i)%element == i .and. &
                 closure%terms(i)%value == own_heating(worst(1), i) .and. closure%terms(i)%coefficient == 1, "a term")
    end do
    call check(closure%terms(levels + 1)%variable == "flux" .and. closure%terms(levels + 1)%coefficient == -1, "flux")
    call monitor%skill(1, skill)
    error = heating - own_heating
    call check(skill%columns == columns - 1 .and. abs(skill%bias + 0.2_real64) < 1e-12_real64, "bias")
    call check(abs(skill%rmse - sqrt(0.2_real64)) < 1e-12_real64, "rmse")
    call check(abs(skill%mean_absolute_error - 0.2_real64) < 1e-12_real64, "mean absolute error")
    call check(abs(skill%correlation - 1) < 1e-12_real64, "a shift of a level is no lack of correlation")
    call monitor%skill(2, skill)
    call check(abs(skill%correlation - 1) < 1e-12_real64 .and. skill%r_squared < 1, "nor is a factor")
    call monitor%skill(3, skill, stat=stat)
    call check(stat == lavoisier_out_of_range, "variable 3 is refused")
    call monitor%law_closure(0, closure, stat=stat)
    call check(stat == lavoisier_out_of_range, "law 0 is refused")
  end subroutine figures

  ! The log of one step in whole fields, in chunks, and in (nproma, nlev, nblock), to the byte.
  subroutine chunks()
    type(lavoisier_workspace) :: workspace
    type(lavoisier_monitor) :: monitor
    real(real64), target :: tb(nproma, levels, blocks), hb(nproma, levels, blocks), ob(nproma, levels, blocks)
    real(real64), target :: pb(nproma, blocks), fb(nproma, blocks), qb(nproma, blocks)
    character(:), allocatable :: whole
    integer :: first, last, c
    call run(workspace)
    call begin(monitor)
    call monitor%set_output("heating", own_heating)
    call monitor%set_output("flux", own_flux)
    call monitor%add(workspace, status=status)
    call monitor%end_step(1_int64)
    call monitor%destroy()
    whole = text_of(log)
    call check(len(whole) > 400, "there is a log")

    call begin(monitor)
    do first = columns - 6, -5, -7
      last = first + 6
      first_of: block
        integer :: f
        f = max(first, 1)
        call workspace%set_input("t", t(f:last, :))
        call workspace%set_input("p", p(f:last))
        call workspace%set_output("heating", heating(f:last, :))
        call workspace%set_output("flux", flux(f:last))
        call monitor%set_output("heating", own_heating(f:last, :))
        call monitor%set_output("flux", own_flux(f:last))
        call monitor%add(workspace, first_column_id=int(f - 1, int64), status=status(f:last))
      end block first_of
    end do
    call monitor%end_step(1_int64)
    call monitor%destroy()
    call check(text_of(log) == whole, "the log is the same in chunks")

    do c = 1, columns
      associate (i => modulo(c - 1, nproma) + 1, b => (c - 1)/nproma + 1)
        tb(i, :, b) = t(c, :)
        pb(i, b) = p(c)
        hb(i, :, b) = heating(c, :)
        fb(i, b) = flux(c)
        ob(i, :, b) = own_heating(c, :)
        qb(i, b) = own_flux(c)
      end associate
    end do
    call begin(monitor)
    call workspace%set_input("t", tb, layout="cec")
    call workspace%set_input("p", pb)
    call workspace%set_output("heating", hb, layout="cec")
    call workspace%set_output("flux", fb)
    call monitor%set_output("heating", ob, layout="cec")
    call monitor%set_output("flux", qb)
    call monitor%add(workspace, columns=columns, status=status)
    call monitor%end_step(1_int64)
    call monitor%destroy()
    call check(text_of(log) == whole, "and in blocks")
  end subroutine chunks

  subroutine begin(monitor)
    type(lavoisier_monitor), intent(inout) :: monitor
    integer :: unit
    open (newunit=unit, file=log, status="replace")
    close (unit, status="delete")
    call monitor%create(model, log=log)
  end subroutine begin

  function text_of(file) result(text)
    character(*), intent(in) :: file
    character(:), allocatable :: text
    integer :: unit, length
    open (newunit=unit, file=file, access="stream", form="unformatted", action="read")
    inquire (unit, size=length)
    allocate (character(length) :: text)
    read (unit) text
    close (unit)
  end function text_of

  subroutine violations()
    type(lavoisier_workspace) :: workspace
    type(lavoisier_monitor) :: monitor
    type(lavoisier_monitor_report) :: report
    integer :: stat
    character(1000) :: errmsg
    call run(workspace)
    flux(5) = flux(5) + 0.125_real64
    call lavoisier_set_log_handler(note)
    call monitor%create(model, steps=2_int64)
    call monitor%add(workspace, status=status)
    call monitor%end_step(0_int64, stat=stat)
    call check(stat == 0 .and. warned == 1, "a violation warns")
    call check(index(last_warning, "the emulator violates law 'energy'") > 0, last_warning)
    call lavoisier_set_log_handler()
    call monitor%add(workspace, status=status)
    call monitor%end_step(1_int64)
    call check(warned == 1, "without a handler nobody hears")
    call check(.not. monitor%is_active(), "after its steps it is off")
    call monitor%add(workspace)  ! nothing
    call monitor%create(model, stop=.true.)
    call monitor%add(workspace, status=status)
    call monitor%end_step(4_int64, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_law_violated .and. index(errmsg, "(id 4)") > 0, errmsg)
    call monitor%report(report)
    call check(report%violated .and. report%message == trim(errmsg), "the report says it too")
    call check(monitor%is_active(), "it goes on")
    call monitor%create(model, stop=.true., physics=[.true.])  ! the law has none of its own: identity
    call monitor%add(workspace, status=status)
    call monitor%end_step(0_int64, stat=stat)
    call check(stat == lavoisier_law_violated, "physics=")
  end subroutine violations

  subroutine refusals()
    type(lavoisier_workspace) :: workspace
    type(lavoisier_monitor) :: monitor
    integer :: stat
    character(400) :: errmsg
    call run(workspace)
    call monitor%set_output("flux", own_flux, stat=stat)
    call check(stat == lavoisier_invalid_argument, "a monitor that was not created has no fields")
    call monitor%add(workspace, stat=stat)
    call check(stat == lavoisier_invalid_argument, "nor columns")
    call monitor%create(model, log="/no/such/folder/log.csv", stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_not_found .and. index(errmsg, "/no/such/folder/log.csv") > 0, errmsg)
    call monitor%create(model, physics=[.true., .false.], stat=stat)
    call check(stat == lavoisier_shape_mismatch, "physics= has one a law")
    call monitor%create(model)
    call monitor%set_input("t", t, stat=stat)
    call check(stat == lavoisier_invalid_argument, "a monitor has no inputs of its own")
    call monitor%set_output("flux", own_flux)
    call monitor%add(workspace, status=status, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_not_found .and. index(errmsg, "of the host's own scheme") > 0, errmsg)
    call monitor%set_output("heating", own_heating, units="K")
    call monitor%add(workspace, status=status, stat=stat)
    call check(stat == lavoisier_unit_mismatch, "units are checked")
    call monitor%set_output("heating", own_heating(2:, :))
    call monitor%add(workspace, status=status, stat=stat)
    call check(stat == lavoisier_shape_mismatch, "and columns")
    call monitor%set_output("heating", own_heating)
    call monitor%add(workspace, status=status(2:), stat=stat)
    call check(stat == lavoisier_invalid_argument, "and the length of status")
    call monitor%add(workspace, status=status)
  end subroutine refusals

  subroutine flags()
    type(lavoisier_workspace) :: workspace
    type(lavoisier_input_flag) :: flag
    integer :: stat
    call run(workspace)
    call check(status(7) == lavoisier_non_finite .and. status(9) == lavoisier_out_of_range, "statuses")
    call check(count(status == lavoisier_ok) == columns - 2, "of these columns alone")
    call workspace%input_flag(9, flag)
    call check(flag%count == 1 .and. flag%name == "t" .and. flag%units == "K" .and. flag%element == 3, "which input")
    call check(flag%value == 50 .and. flag%minimum == -4 .and. flag%maximum == 4, "its value and range")
    call check(flag%status == lavoisier_out_of_range, "and why")
    call workspace%input_flag(9, flag, index=2)
    call check(flag%count == 1 .and. flag%name == "", "no second one")
    call workspace%input_flag(7, flag)
    call check(flag%name == "p" .and. flag%status == lavoisier_non_finite .and. ieee_is_nan(flag%value), "a NaN")
    call workspace%input_flag(1, flag)
    call check(flag%count == 0, "nothing to say of a good column")
    call workspace%input_flag(columns + 1, flag, stat=stat)
    call check(stat == lavoisier_out_of_range, "a column that is none is refused")
  end subroutine flags

end program fortran_monitor_test
