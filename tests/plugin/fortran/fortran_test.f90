! The module lavoisier against the C interface: the same bits for every layout, mistakes refused before any field is
! touched, handles gone with their scope.
program fortran_test
  use, intrinsic :: iso_c_binding
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, real32, real64
  use lavoisier
  implicit none

  interface
    function fixture_write(path, levels) bind(c) result(failed)
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int), value :: levels
      integer(c_int) :: failed
    end function fixture_write
    function fixture_reference(path, levels, columns, t, p, heating, flux, seed, step, member, mean) bind(c) &
      result(status)
      import :: c_char, c_double, c_int, c_int64_t
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int), value :: levels, mean
      integer(c_int64_t), value :: columns, seed, step, member
      real(c_double) :: t(*), p(*), heating(*), flux(*)
      integer(c_int) :: status
    end function fixture_reference
    function fixture_heap() bind(c) result(bytes)
      import :: c_int64_t
      integer(c_int64_t) :: bytes
    end function fixture_heap
  end interface

  integer, parameter :: levels = 5, columns = 37
  real(real64), parameter :: untouched = -987654.5_real64
  character(*), parameter :: path = "fortran_test.safetensors"
  real(real64), target :: t(levels, columns), p(columns), heating(levels, columns), flux(columns)
  real(real64), target :: mean_heating(levels, columns), mean_flux(columns)
  type(lavoisier_model) :: model
  integer :: failures = 0
  character(32) :: mode

  mode = ""
  if (command_argument_count() > 0) call get_command_argument(1, mode)
  if (mode == "no_stat") then
    call lavoisier_initialize()
    call model%load("no such file.safetensors")
    stop 0  ! not reached
  end if

  call lavoisier_initialize(threads=2)
  call check(lavoisier_is_initialized(), "initialised")
  call check(fixture_write(path//c_null_char, int(levels, c_int)) == 0, "the model is written")
  call fill()
  call model%load(path)
  call files()
  call description()
  call layouts()
  call arguments()
  call mistakes()
  call global_laws()
  call scopes()
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

  ! Numbers that real32 has too, within the training range.
  subroutine fill()
    integer :: c, l
    do c = 1, columns
      p(c) = real(modulo(7*c, 29), real64)/8 - 1.5_real64
      do l = 1, levels
        t(l, c) = real(modulo(11*c + 5*l, 31), real64)/8 - 2
      end do
    end do
    call check(fixture_reference(path//c_null_char, levels, int(columns, c_int64_t), t, p, heating, flux, &
                                 42_c_int64_t, 9_c_int64_t, 3_c_int64_t, 0) == 0, "the reference runs")
    call check(fixture_reference(path//c_null_char, levels, int(columns, c_int64_t), t, p, mean_heating, mean_flux, &
                                 42_c_int64_t, 9_c_int64_t, 3_c_int64_t, 1) == 0, "its mean runs")
  end subroutine fill

  subroutine files()
    type(lavoisier_model) :: other
    type(lavoisier_workspace) :: workspace
    integer :: stat, unit
    character(200) :: errmsg
    errmsg = "as before"
    call other%load(path, stat=stat, errmsg=errmsg)
    call check(stat == 0 .and. errmsg == "as before", "errmsg is defined on failure only")
    call other%load("no such file.safetensors", stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_not_found, "a missing file has its status")
    call check(index(errmsg, "no such file.safetensors") > 0, "and its message names it")
    call check(.not. other%is_loaded(), "and no model is left")
    call other%load("no such file.safetensors", stat=stat)
    call check(stat == lavoisier_not_found, "stat= without errmsg=")
    open (newunit=unit, file="damaged.safetensors", status="replace", action="write")
    write (unit, "(a)") "this is no model file, whatever its name may be"
    close (unit)
    call other%load("damaged.safetensors", stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_format .or. stat == lavoisier_digest_mismatch, "a damaged file is refused")
    call workspace%create(other, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument, "a workspace without a model is refused")
    call workspace%create(model, max_columns=0, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument .and. index(errmsg, "max_columns") > 0, "max_columns is checked")
    call workspace%run(stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument, "a run without a workspace is refused")
  end subroutine files

  subroutine description()
    type(lavoisier_variable) :: variable
    type(lavoisier_law) :: law
    integer :: stat
    call check(model%input_count() == 2 .and. model%output_count() == 2 .and. model%law_count() == 1, "counts")
    call model%input(1, variable)
    call check(variable%name == "t" .and. variable%units == "K" .and. variable%elements == levels, "input 1")
    call check(variable%minimum < variable%maximum, "has a range")
    call model%output(2, variable)
    call check(variable%name == "flux" .and. variable%elements == 1, "output 2")
    call model%law(1, law)
    call check(law%name == "energy" .and. law%units == "W m-2", "law 1")
    call model%law(2, law, stat=stat)
    call check(stat == lavoisier_out_of_range, "law 2 is refused")
    call model%input(0, variable, stat=stat)
    call check(stat == lavoisier_out_of_range, "input 0 is refused")
    call check(len(model%digest()) == 64 .and. model%strategy() == "conditional", "digest and strategy")
    call statuses()
    call check(len(lavoisier_version()) > 0, "version")
  end subroutine description

  ! The numbers are those of C, by the names that the library gives them.
  subroutine statuses()
    integer, parameter :: numbers(0:19) = [ &
      lavoisier_ok, lavoisier_invalid_argument, lavoisier_not_found, lavoisier_invalid_format, &
      lavoisier_digest_mismatch, lavoisier_unsupported_version, lavoisier_unsupported, lavoisier_unit_mismatch, &
      lavoisier_shape_mismatch, lavoisier_not_initialized, lavoisier_non_finite, lavoisier_out_of_range, &
      lavoisier_inconsistent_laws, lavoisier_rank_deficient, lavoisier_law_violated, lavoisier_io_error, &
      lavoisier_no_space, lavoisier_out_of_memory, lavoisier_interrupted, lavoisier_internal]
    character(20), parameter :: names(0:19) = [character(20) :: "ok", "invalid_argument", "not_found", &
      "invalid_format", "digest_mismatch", "unsupported_version", "unsupported", "unit_mismatch", "shape_mismatch", &
      "not_initialized", "non_finite", "out_of_range", "inconsistent_laws", "rank_deficient", "law_violated", &
      "io_error", "no_space", "out_of_memory", "interrupted", "internal"]
    integer :: i
    do i = 0, 19
      call check(lavoisier_status_name(numbers(i)) == names(i), "status "//names(i))
    end do
    call check(lavoisier_status_name(20) == "unknown", "and no other")
  end subroutine statuses

  subroutine make(workspace)
    type(lavoisier_workspace), intent(inout) :: workspace
    call workspace%create(model, max_columns=columns + 3, seed=42_int64)
  end subroutine make

  subroutine layouts()
    integer, parameter :: nproma = 8, blocks = 5, nx = 6, ny = 7
    type(lavoisier_workspace) :: workspace
    type(lavoisier_report) :: report
    type(lavoisier_closure) :: closure
    real(real64), target :: t2(columns, levels), h2(columns, levels), p1(columns), f1(columns)
    real(real64), target :: tb(nproma, levels, blocks), hb(nproma, levels, blocks), pb(nproma, blocks)
    real(real64), target :: fb(nproma, blocks)
    real(real64), target :: tv(nproma, levels, 3, blocks), hv(nproma, levels, 3, blocks)
    real(real64), target :: tx(nx + 3, 2*ny, levels), hx(nx + 3, 2*ny, levels), px(nx + 3, ny), fx(ny, nx)
    real(real32), target :: t4(columns, levels), h4(columns, levels), p4(columns), f4(columns)
    integer :: c, i, j, l
    logical :: same

    ! (ncol, nlev)
    call make(workspace)
    t2 = transpose(t)
    p1 = p
    call workspace%set_input("t", t2, units="K")
    call workspace%set_input("p", p1, units="Pa")
    call workspace%set_output("heating", h2, units="W/m2")
    call workspace%set_output("flux", f1)
    call workspace%run(step=9_int64, member=3_int64, report=report)
    call check(report%columns == columns .and. report%non_finite == 0, "the report counts")
    call check(all(transpose(h2) == heating) .and. all(f1 == flux), "(ncol, nlev)")
    call workspace%law_closure(1, closure)
    call check(closure%max_relative <= 1e-14_real64 .and. closure%worst_column >= 1, "closure")
    call workspace%run_mean(step=9_int64, member=3_int64)
    call check(all(transpose(h2) == mean_heating) .and. all(f1 == mean_flux), "the mean")
    call check(any(mean_flux /= flux), "which is not the draw")
    call workspace%run(step=8_int64, member=3_int64)
    call check(any(f1 /= flux), "another step is another draw")

    ! (nlev, ncol), backwards and every second column
    call make(workspace)
    block
      real(real64), target :: tr(levels, 2*columns), hr(levels, 2*columns)
      tr = untouched
      hr = untouched
      tr(:, 1::2) = t
      call workspace%set_input("t", tr(:, 1::2), layout="ec")
      call workspace%set_input("p", p1)
      call workspace%set_output("heating", hr(levels:1:-1, 2::2), layout="ec")
      call workspace%set_output("flux", f1)
      call workspace%run(step=9_int64, member=3_int64)
      call check(all(hr(levels:1:-1, 2::2) == heating) .and. all(f1 == flux), "(nlev, ncol) in sections")
      call check(all(hr(:, 1::2) == untouched), "and nothing between them")
    end block

    ! (nproma, nlev, nblock), the last block partly filled
    call make(workspace)
    tb = untouched
    pb = untouched
    hb = untouched
    fb = untouched
    do c = 1, columns
      i = modulo(c - 1, nproma) + 1
      j = (c - 1)/nproma + 1
      tb(i, :, j) = t(:, c)
      pb(i, j) = p(c)
    end do
    call workspace%set_input("t", tb, layout="cec")
    call workspace%set_input("p", pb)
    call workspace%set_output("heating", hb, layout="cec")
    call workspace%set_output("flux", fb)
    call workspace%run(columns=columns, step=9_int64, member=3_int64)
    same = .true.
    do c = 1, columns
      i = modulo(c - 1, nproma) + 1
      j = (c - 1)/nproma + 1
      same = same .and. all(hb(i, :, j) == heating(:, c)) .and. fb(i, j) == flux(c)
    end do
    call check(same, "(nproma, nlev, nblock)")
    call check(all(hb(6:, :, blocks) == untouched) .and. all(fb(6:, blocks) == untouched), "the padding is untouched")

    ! Rank 4: one variable of (nproma, nlev, nvariable, nblock), inputs and outputs of one array
    call make(workspace)
    tv = untouched
    hv = untouched
    tv(:, :, 2, :) = tb
    call workspace%set_input("t", tv(:, :, 2:2, :), layout="cecc")
    call workspace%set_input("p", pb)
    call workspace%set_output("heating", tv(:, :, 3:3, :), layout="cecc")
    call workspace%set_output("flux", fb)
    call workspace%run(columns=columns, step=9_int64, member=3_int64)
    call check(all(tv(:, :, 3, :) == hb), "rank 4, interleaved with its input")
    call check(all(tv(:, :, 1, :) == untouched), "and its neighbour is untouched")

    ! Sections of (lon, lat, lev); p from an array of another shape, flux into one whose dimensions are swapped
    call make(workspace)
    tx = untouched
    hx = untouched
    px = untouched
    fx = untouched
    do c = 1, columns
      i = modulo(c - 1, nx) + 1
      j = (c - 1)/nx + 1
      tx(i + 2, 2*j, :) = t(:, c)
      px(i, j) = p(c)
    end do
    call workspace%set_input("t", tx(3:nx + 2, 2::2, :))
    call workspace%set_input("p", px(1:nx, :))
    call workspace%set_output("heating", hx(3:nx + 2, 2::2, :), layout="cce")
    call workspace%set_output("flux", fx(:, 1), layout="c")
    call expect_failure(workspace, lavoisier_shape_mismatch, "expected 42, found 7")
    block
      real(real64), target :: ff(nx, ny)
      ff = untouched
      call workspace%set_output("flux", ff)
      call workspace%run(columns=columns, step=9_int64, member=3_int64)
      same = .true.
      do c = 1, columns
        i = modulo(c - 1, nx) + 1
        j = (c - 1)/nx + 1
        do l = 1, levels
          same = same .and. hx(i + 2, 2*j, l) == heating(l, c)
        end do
        same = same .and. ff(i, j) == flux(c)
      end do
      call check(same, "(lon, lat, lev) in sections")
      call check(all(hx(:2, :, :) == untouched) .and. all(hx(:, 1::2, :) == untouched), "and nothing beside them")
    end block

    ! real32: the draw, rounded
    call make(workspace)
    t4 = real(t2, real32)
    p4 = real(p1, real32)
    call workspace%set_input("t", t4)
    call workspace%set_input("p", p4)
    call workspace%set_output("heating", h4)
    call workspace%set_output("flux", f4)
    call workspace%run(step=9_int64, member=3_int64)
    call check(all(h4 == real(transpose(heating), real32)) .and. all(f4 == real(flux, real32)), "real32")
  end subroutine layouts

  subroutine arguments()
    type(lavoisier_workspace) :: workspace
    type(lavoisier_report) :: report
    real(real64), target :: t2(levels, columns), h2(levels, columns), p1(columns), f1(columns)
    integer(int64) :: ids(columns)
    logical :: mask(columns)
    integer :: status(columns), c, nobody(0)
    call make(workspace)
    t2 = t
    p1 = p
    call workspace%set_input("t", t2, layout="ec")
    call workspace%set_input("p", p1)
    call workspace%set_output("heating", h2, layout="ec")
    call workspace%set_output("flux", f1)
    mask = [(modulo(c, 3) == 0, c=1, columns)]
    f1 = untouched
    status = -1
    call workspace%run(step=9_int64, member=3_int64, mask=mask, status=status, report=report)
    call check(all(merge(f1 == flux, f1 == untouched, mask)), "mask")
    call check(all(merge(status == lavoisier_ok, status == -1, mask)), "status of computed columns only")
    call check(report%columns == count(mask), "count of the mask")
    f1 = untouched
    call workspace%run(step=9_int64, member=3_int64, active=[columns, 1, 20])
    call check(f1(1) == flux(1) .and. f1(20) == flux(20) .and. f1(columns) == flux(columns), "active")
    call check(count(f1 == untouched) == columns - 3, "and no other")
    f1 = untouched
    call workspace%run(active=nobody)
    call check(all(f1 == untouched), "no active column")
    call workspace%run(columns=0)
    ! Columns 11 to 37 as a call of their own.
    call workspace%set_input("t", t2(:, 11:), layout="ec")
    call workspace%set_input("p", p1(11:))
    call workspace%set_output("heating", h2(:, 11:), layout="ec")
    call workspace%set_output("flux", f1(11:))
    call workspace%run(step=9_int64, member=3_int64, first_column_id=10_int64)
    call check(all(f1(11:) == flux(11:)) .and. all(f1(:10) == untouched), "first_column_id")
    f1 = untouched
    ids = [(int(c, int64) + 9, c=1, columns)]
    call workspace%run(member=3_int64, column_ids=ids, step_ids=[(9_int64, c=1, columns)])
    call check(all(f1(11:) == flux(11:)), "column_ids and step_ids")
    ! A column that is no number.
    p1(20) = ieee_nan()
    status = -1
    call workspace%run(step=9_int64, member=3_int64, first_column_id=10_int64, status=status, report=report)
    call check(status(10) == lavoisier_non_finite .and. report%non_finite == 1, "a NaN has its status")
    call check(all(status(:9) == 0), "its neighbours have theirs")
    ! A rank without columns.
    block
      real(real64), target :: none(0), none2(levels, 0)
      call workspace%set_input("t", none2, layout="ec")
      call workspace%set_input("p", none)
      call workspace%set_output("heating", none2, layout="ec")
      call workspace%set_output("flux", none)
      call workspace%run(report=report)
      call check(report%columns == 0, "no columns are legal")
    end block
  end subroutine arguments

  real(real64) function ieee_nan()
    ieee_nan = transfer(9221120237041090560_int64, 0.0_real64)
  end function ieee_nan

  subroutine expect_failure(workspace, expected, part)
    type(lavoisier_workspace), intent(inout) :: workspace
    integer, intent(in) :: expected
    character(*), intent(in) :: part
    integer :: stat
    character(400) :: errmsg
    errmsg = ""
    call workspace%run(step=9_int64, member=3_int64, stat=stat, errmsg=errmsg)
    call check(stat == expected .and. index(errmsg, part) > 0, part//": "//trim(errmsg))
  end subroutine expect_failure

  subroutine mistakes()
    type(lavoisier_workspace) :: workspace
    real(real64), target :: t2(levels, columns), h2(levels, columns), p1(columns), f1(columns)
    real(real64), target :: wide(levels + 1, columns)
    real(real64), target :: cube(4, 5, 6, 7), blocked(8, 6), blocked_otherwise(9, 6)
    integer :: stat
    character(400) :: errmsg
    t2 = t
    p1 = p
    h2 = untouched
    f1 = untouched
    wide = untouched
    cube = untouched
    call make(workspace)
    call workspace%set_input("t", t2, layout="ec")
    call expect_failure(workspace, lavoisier_not_found, "no field is given for the model's input 'p'")
    call workspace%set_input("p", p1, units="hPa")
    call workspace%set_output("heating", h2, layout="ec")
    call workspace%set_output("flux", f1)
    call expect_failure(workspace, lavoisier_unit_mismatch, "expected units 'Pa', found 'hPa'")
    call workspace%set_input("p", p1, units="Pa")
    call workspace%set_input("t", wide, layout="ec")
    call expect_failure(workspace, lavoisier_shape_mismatch, "expected 5 elements a column, found 6")
    call workspace%set_input("t", t2(:, :20), layout="ec")
    call expect_failure(workspace, lavoisier_shape_mismatch, "'p': without columns= every field")
    call workspace%run(columns=columns, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_shape_mismatch .and. index(errmsg, "the run has 37 columns") > 0, errmsg)
    call workspace%set_input("t", t2, layout="ec")
    call workspace%set_output("flux", p1)
    call expect_failure(workspace, lavoisier_invalid_argument, "overlap")
    call workspace%set_output("flux", f1)
    call workspace%set_input("q", p1, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_not_found .and. index(errmsg, "it has t p") > 0, "an unknown name: "//errmsg)
    call workspace%set_input("t", t2, layout="cc", stat=stat, errmsg=errmsg)
    call check(stat == 0, "letters are taken as they are")
    call expect_failure(workspace, lavoisier_shape_mismatch, "'p': without columns= every field")
    call workspace%set_input("t", t2, layout="el", stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument .and. index(errmsg, "layout") > 0, "letters: "//errmsg)
    call workspace%set_input("t", t2, layout="ece", stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument, "one a dimension")
    call workspace%set_input("t", cube(:, 1:2, :, :), layout="eecc", stat=stat, errmsg=errmsg)
    call check(stat == 0, "elements over two dimensions that one stride leads through")
    call workspace%set_input("t", cube(1:3, 1:2, :, :), layout="eecc", stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_shape_mismatch .and. index(errmsg, "no single stride") > 0, "elements: "//errmsg)
    call workspace%set_input("p", cube(1:3, 1:3, 1:3, 1:3), stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_shape_mismatch .and. index(errmsg, "no two strides") > 0, "columns: "//errmsg)
    call workspace%set_input("p", p1, units=repeat("m", 100), stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_unit_mismatch, "endless units")
    ! Blocks of 7 and of 6 columns.
    call workspace%set_input("t", t2, layout="ec")
    call workspace%set_input("p", blocked(:7, :))
    call workspace%set_output("flux", blocked_otherwise(:6, :))
    call workspace%run(columns=columns, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_shape_mismatch .and. index(errmsg, "blocks differ") > 0, "blocks: "//errmsg)
    call workspace%set_input("p", p1)
    call workspace%set_output("flux", f1)
    call workspace%run(columns=-1, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument, "columns: "//errmsg)
    call workspace%run(mask=[.true.], stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument .and. index(errmsg, "mask") > 0, "mask: "//errmsg)
    call workspace%run(column_ids=[1_int64], stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument .and. index(errmsg, "column_ids") > 0, "ids: "//errmsg)
    call workspace%run(active=[0], stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_out_of_range, "active counts from 1: "//errmsg)
    call workspace%run(member=-1_int64, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument, "member: "//errmsg)
    call check(all(h2 == untouched) .and. all(f1 == untouched), "no mistake touched a field")
    call workspace%run(step=9_int64, member=3_int64)
    call check(all(h2 == heating) .and. all(f1 == flux), "and the workspace is as good as new")
  end subroutine mistakes

  ! No net flux over all columns, weighted by areas; the heating of the first level adds up to 7. In chunks of 10.
  subroutine global_laws()
    type(lavoisier_workspace) :: workspace
    type(lavoisier_global_laws) :: laws
    type(lavoisier_global_closure) :: closure
    real(real64), target :: t2(levels, columns), h2(levels, columns), p1(columns), f1(columns), area(columns)
    real(real64), target :: b(levels + 1, 2, 1), wrong(levels, 2, 1)
    integer :: c, first, last, phase, stat
    character(400) :: errmsg
    t2 = t
    p1 = p
    area = [(1 + 0.25_real64*modulo(c, 5), c=1, columns)]
    b = 0
    b(levels + 1, 1, 1) = 1
    b(1, 2, 1) = 1
    wrong = 0
    call workspace%create(model, max_columns=10, seed=42_int64, global_rows=2)
    call laws%create(model, rows=2)
    call laws%begin([0.0_real64, 7.0_real64])
    do phase = 1, 2
      do first = 1, columns, 10
        last = min(first + 9, columns)
        call workspace%set_input("t", t2(:, first:last), layout="ec")
        call workspace%set_input("p", p1(first:last))
        call workspace%set_output("heating", h2(:, first:last), layout="ec")
        call workspace%set_output("flux", f1(first:last))
        if (phase == 1) then
          call workspace%run(step=9_int64, first_column_id=int(first - 1, int64), global=laws, global_coefficients=b, &
                             global_weights=area(first:last))
        else
          call workspace%correct(step=9_int64, first_column_id=int(first - 1, int64), global=laws, &
                                 global_coefficients=b, global_weights=area(first:last))
        end if
      end do
      if (phase == 1) call check(abs(sum(area*f1)) > 1, "the draws don't obey the global law")
      if (phase == 1) call laws%close()
      if (phase == 2) call laws%finish()
    end do
    call check(abs(sum(area*f1)) < 1e-10_real64, "no net flux")
    call check(abs(sum(area*h2(1, :)) - 7) < 1e-10_real64, "the second global law")
    call check(maxval(abs(sum(h2, 1) - f1)) < 1e-11_real64, "and the local law of every column")
    call laws%closure(2, closure)
    call check(closure%relative_after <= 1e-14_real64 .and. closure%columns == columns, "global closure")
    call check(closure%right_hand_side == 7, "its right-hand side")
    call laws%closure(3, closure, stat=stat)
    call check(stat == lavoisier_out_of_range, "row 3 is refused")
    call laws%begin([0.0_real64], stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_shape_mismatch, "one right-hand side for two rows: "//errmsg)
    call laws%begin([0.0_real64, 0.0_real64])
    call workspace%run(global=laws, global_coefficients=wrong, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_shape_mismatch .and. index(errmsg, "(6, 2, ") > 0, "the shape of B: "//errmsg)
    call workspace%run(global=laws, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_shape_mismatch, "no B: "//errmsg)
    call workspace%correct(global=laws, global_coefficients=b, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_invalid_argument .and. index(errmsg, "closed") > 0, "not closed: "//errmsg)
    call laws%close(status=lavoisier_no_space, stat=stat, errmsg=errmsg)
    call check(stat == lavoisier_no_space, "a rank that failed: "//errmsg)
  end subroutine global_laws

  ! Handles that end with their scope leave nothing behind; without FINAL this would be some hundred megabytes.
  subroutine scopes()
    integer(c_int64_t) :: before
    integer :: i
    do i = 1, 20
      call scope()
    end do
    before = fixture_heap()
    do i = 1, 500
      call scope()
    end do
    call check(fixture_heap() - before < 65536, "nothing is left behind by scopes")
  end subroutine scopes

  subroutine scope()
    type(lavoisier_model) :: copy, again
    type(lavoisier_workspace) :: workspace
    real(real64), target :: p1(columns)
    integer :: stat
    again = model
    copy = again
    copy = copy
    call again%destroy()
    call check(copy%is_loaded() .and. copy%digest() == model%digest(), "assignment shares the model")
    call workspace%create(copy, max_columns=4000)
    call copy%destroy()
    p1 = p
    call workspace%set_input("p", p1, units="Pa")
    call workspace%create(model, max_columns=4000)  ! anew: what was bound is forgotten
    call workspace%run(columns=1, stat=stat)
    call check(stat == lavoisier_not_found, "a workspace made anew has no fields")
  end subroutine scope

end program fortran_test
