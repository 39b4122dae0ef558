!> The Fortran interface of the Lavoisier plugin, through its C interface (lavoisier.h) alone.
!!
!! Every procedure that can fail has the optional arguments stat= and errmsg=, which behave as in ALLOCATE: without
!! stat= a failure writes its message to the error unit and ends the program with ERROR STOP; with it the program goes
!! on, stat is the number of the status (0: none), and errmsg is defined only on failure. Statuses are those of C.
!!
!! Fields lie where the host has them. Actual arguments of set_input and set_output need the TARGET (or POINTER)
!! attribute and must exist, at the same place, for as long as runs use them; sections are taken by stride, not copied
!! (no vector subscripts).
module lavoisier
  use, intrinsic :: iso_c_binding, only: c_associated, c_char, c_double, c_f_pointer, c_funloc, c_funptr, c_int, &
    c_int64_t, c_int8_t, c_intptr_t, c_loc, c_null_char, c_null_funptr, c_null_ptr, c_ptr, c_size_t, c_sizeof
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, real32, real64
  implicit none
  private

  public :: lavoisier_initialize, lavoisier_finalize, lavoisier_is_initialized, lavoisier_version, &
    lavoisier_status_name, lavoisier_last_error, lavoisier_set_log_handler

  !> The numbers of lav_status.
  integer, parameter, public :: lavoisier_ok = 0, lavoisier_invalid_argument = 1, lavoisier_not_found = 2, &
    lavoisier_invalid_format = 3, lavoisier_digest_mismatch = 4, lavoisier_unsupported_version = 5, &
    lavoisier_unsupported = 6, lavoisier_unit_mismatch = 7, lavoisier_shape_mismatch = 8, &
    lavoisier_not_initialized = 9, lavoisier_non_finite = 10, lavoisier_out_of_range = 11, &
    lavoisier_inconsistent_laws = 12, lavoisier_rank_deficient = 13, lavoisier_law_violated = 14, &
    lavoisier_io_error = 15, lavoisier_no_space = 16, lavoisier_out_of_memory = 17, lavoisier_interrupted = 18, &
    lavoisier_internal = 19
  !> Where runs compute.
  integer, parameter, public :: lavoisier_automatic = 0, lavoisier_serial = 1, lavoisier_openmp = 2, &
    lavoisier_device = 3

  integer(c_int), parameter :: abi_version = 1
  integer, parameter :: longest_units = 79
  integer, parameter :: call_run = 1, call_run_mean = 2, call_correct = 3, call_correct_mean = 4

  !> What a run did with its columns.
  type, public :: lavoisier_report
    integer(int64) :: columns = 0         !< computed and written
    integer(int64) :: non_finite = 0      !< untouched: an input, a result or a law that is no number
    integer(int64) :: out_of_range = 0    !< computed and flagged: outside the training range
    integer(int64) :: rank_deficient = 0  !< untouched: constant outputs break a law
    integer(int64) :: invalid_argument = 0  !< untouched: indices or counts that name no node, row or entry
  end type lavoisier_report

  !> Closure of one law over the last successful run, of the values as stored.
  type, public :: lavoisier_closure
    real(real64) :: max_absolute = 0.0_real64, rms = 0.0_real64, max_relative = 0.0_real64
    integer(int64) :: worst_column = 0    !< from 1; 0 without columns
  end type lavoisier_closure

  !> One global law of one member; sums are exact, and rounded once. (global_laws.hpp)
  type, public :: lavoisier_global_closure
    real(real64) :: right_hand_side = 0.0_real64, before = 0.0_real64, after = 0.0_real64
    real(real64) :: relative_before = 0.0_real64, relative_after = 0.0_real64  !< after: NaN before finish
    real(real64) :: multiplier = 0.0_real64
    integer(int64) :: columns = 0, left_out = 0  !< over all ranks and members: with a result, without one
  end type lavoisier_global_closure

  !> Laws over all columns of all ranks, in two phases: begin; run of each chunk with global=; close, one reduction;
  !! correct of each chunk with the arguments of its run; finish, if the closure is wanted. It can't be copied.
  type, public :: lavoisier_global_laws
    private
    type(c_ptr) :: handle = c_null_ptr
    integer :: rows = 0
  contains
    procedure :: create => global_create
    procedure :: destroy => global_destroy
    procedure :: begin => global_begin
    procedure :: close => global_close
    procedure :: finish => global_finish
    procedure :: closure => global_closure
    procedure, private :: global_assign
    generic :: assignment(=) => global_assign
    final :: global_finalize
  end type lavoisier_global_laws

  !> What a model says of a variable or of a law.
  type, public :: lavoisier_variable
    character(:), allocatable :: name, units, long_name
    integer(int64) :: elements = 1
    real(real64) :: minimum = 0.0_real64, maximum = 0.0_real64  !< training range (inputs)
  end type lavoisier_variable
  type, public :: lavoisier_law
    character(:), allocatable :: name, equation, units
    real(real64) :: physics_tolerance = 0.0_real64
  end type lavoisier_law

  !> A physical constant of the laws: value as the laws have it, the host's once it is set.
  type, public :: lavoisier_constant
    character(:), allocatable :: name, units
    real(real64) :: value = 0.0_real64, file_value = 0.0_real64
  end type lavoisier_constant
  !> An input element of a column that is no number or outside its training range; count: such elements of the column.
  type, public :: lavoisier_input_flag
    integer(int64) :: count = 0
    character(:), allocatable :: name, units
    integer(int64) :: element = 0  !< from 1
    real(real64) :: value = 0.0_real64, minimum = 0.0_real64, maximum = 0.0_real64
    integer :: status = lavoisier_ok
  end type lavoisier_input_flag

  !> What a monitor saw in its last step. (monitor.hpp)
  type, public :: lavoisier_monitor_report
    integer(int64) :: step = 0, columns = 0, out_of_range = 0, left_out = 0
    logical :: violated = .false.
    character(:), allocatable :: message
  end type lavoisier_monitor_report
  type, public :: lavoisier_monitor_term
    character(:), allocatable :: variable
    integer(int64) :: element = 0  !< from 1
    real(real64) :: coefficient = 0.0_real64, value = 0.0_real64
  end type lavoisier_monitor_term
  type, public :: lavoisier_monitor_closure
    integer(int64) :: columns = 0, non_finite = 0
    real(real64) :: max_absolute = 0.0_real64, rms = 0.0_real64, max_relative = 0.0_real64, tolerance = 0.0_real64
    logical :: relative = .true.       !< the tolerance bounds max_relative; else max_absolute
    logical :: violated = .false.
    integer(int64) :: worst_id = 0, worst_column = 0  !< column: from 1 in the fields it was in; 0: none
    real(real64) :: right_hand_side = 0.0_real64
    type(lavoisier_monitor_term), allocatable :: terms(:)  !< of the worst column
  end type lavoisier_monitor_closure
  type, public :: lavoisier_monitor_skill
    integer(int64) :: columns = 0, non_finite = 0
    real(real64) :: bias = 0.0_real64, rmse = 0.0_real64, mean_absolute_error = 0.0_real64, correlation = 0.0_real64, &
      r_squared = 0.0_real64
  end type lavoisier_monitor_skill

  abstract interface
    !> What the library has to say beside statuses, such as a monitor's warnings.
    subroutine lavoisier_log_handler(message)
      character(*), intent(in) :: message
    end subroutine lavoisier_log_handler
  end interface
  public :: lavoisier_log_handler
  procedure(lavoisier_log_handler), pointer, save :: log_handler => null()

  !> An immutable model, shared by any number of workspaces and threads. Assignment shares it too.
  type, public :: lavoisier_model
    private
    type(c_ptr) :: handle = c_null_ptr
  contains
    procedure :: load => model_load
    procedure :: adopt => model_adopt
    procedure :: destroy => model_destroy
    procedure :: is_loaded => model_is_loaded
    procedure :: input_count => model_input_count
    procedure :: output_count => model_output_count
    procedure :: law_count => model_law_count
    procedure :: input => model_input
    procedure :: output => model_output
    procedure :: law => model_law
    procedure :: constant_count => model_constant_count
    procedure :: constant => model_constant
    procedure :: set_constants => model_set_constants
    procedure :: set_coordinate => model_set_coordinate
    procedure :: digest => model_digest
    procedure :: strategy => model_strategy
    procedure, private :: model_assign
    generic :: assignment(=) => model_assign
    final :: model_finalize
  end type lavoisier_model

  !> A field bound to a variable, resolved to blocks of columns and one stride between elements.
  type :: bound_field
    logical :: given = .false.
    logical :: has_units = .false.
    character(kind=c_char, len=longest_units + 1) :: units = c_null_char
    type(c_ptr) :: data = c_null_ptr
    integer(c_int) :: precision = 0
    integer(c_int64_t) :: inner = 1, blocks = 1, elements = 1
    integer(c_int64_t) :: column_stride = 1, block_stride = 0, element_stride = 1
  end type bound_field

  !> lav_input_field and lav_output_field.
  type, bind(c) :: c_field
    type(c_ptr) :: name, units, data
    integer(c_int) :: precision, space
    integer(c_int64_t) :: columns, elements, column_stride, element_stride
  end type c_field

  !> The fields of one role. Pointers, so that what C is shown stays where it is.
  type :: field_set
    integer :: count = 0
    type(bound_field), pointer :: bound(:) => null()
    type(c_field), pointer :: shown(:) => null()
    integer(c_int64_t), pointer :: block_strides(:) => null()
  end type field_set

  !> Where a host's fields of a model lie: what workspaces and monitors share.
  type :: bound_fields
    private
    type(c_ptr) :: model = c_null_ptr
    type(field_set) :: inputs, outputs
  contains
    !> set_input(name, field, units, layout, stat, errmsg): field is real32 or real64, of rank 1 to 4.
    !! layout has a letter a dimension: c (columns) or e (elements of a column, such as levels), in the order of the
    !! array: "ce" for (ncol, nlev), "ec" for (nlev, ncol), "cce" for (lon, lat, lev), "cec" for (nproma, nlev, nblock).
    !! Without it every dimension is of columns where the variable has one element, else the last is of elements and
    !! the others are of columns. Columns and elements count in array element order.
    procedure, private :: set_input_real32_1, set_input_real32_2, set_input_real32_3, set_input_real32_4, &
      set_input_real64_1, set_input_real64_2, set_input_real64_3, set_input_real64_4
    generic :: set_input => set_input_real32_1, set_input_real32_2, set_input_real32_3, set_input_real32_4, &
      set_input_real64_1, set_input_real64_2, set_input_real64_3, set_input_real64_4
    procedure, private :: set_output_real32_1, set_output_real32_2, set_output_real32_3, set_output_real32_4, &
      set_output_real64_1, set_output_real64_2, set_output_real64_3, set_output_real64_4
    generic :: set_output => set_output_real32_1, set_output_real32_2, set_output_real32_3, set_output_real32_4, &
      set_output_real64_1, set_output_real64_2, set_output_real64_3, set_output_real64_4
  end type bound_fields

  !> Scratch of one calling thread. It can't be copied: assignment is an error.
  type, extends(bound_fields), public :: lavoisier_workspace
    private
    type(c_ptr) :: handle = c_null_ptr
    integer(c_int64_t) :: outputs_of_model = 0  !< elements of a column
    integer(c_int64_t), pointer :: active(:) => null(), column_ids(:) => null(), step_ids(:) => null()
    integer(c_int8_t), pointer :: mask(:) => null()
    integer(c_int), pointer :: status(:) => null()
  contains
    procedure :: create => workspace_create
    procedure :: destroy => workspace_destroy
    procedure :: is_created => workspace_is_created
    procedure :: backend => workspace_backend
    procedure :: instruction_set => workspace_instruction_set
    procedure :: run => workspace_run
    procedure :: run_mean => workspace_run_mean
    procedure :: correct => workspace_correct
    procedure :: correct_mean => workspace_correct_mean
    procedure :: law_closure => workspace_law_closure
    procedure :: input_flag => workspace_input_flag
    procedure, private :: workspace_assign
    generic :: assignment(=) => workspace_assign
    final :: workspace_finalize
  end type lavoisier_workspace

  !> Watches an emulator that runs beside the host's own scheme: of every step, how far each law is from closing and how
  !! well the outputs agree (monitor.hpp). set_output binds what the host's own scheme puts out, by the rules of a
  !! workspace's fields; without any, laws alone are watched. It can't be copied.
  type, extends(bound_fields), public :: lavoisier_monitor
    private
    type(c_ptr) :: handle = c_null_ptr
  contains
    procedure :: create => monitor_create
    procedure :: destroy => monitor_destroy
    procedure :: is_active => monitor_is_active
    procedure :: add => monitor_add
    procedure :: end_step => monitor_end_step
    procedure :: report => monitor_report
    procedure :: law_closure => monitor_law_closure
    procedure :: skill => monitor_skill
    procedure, private :: monitor_assign
    generic :: assignment(=) => monitor_assign
    final :: monitor_finalize
  end type lavoisier_monitor

  !> Where an array lies.
  type :: placement
    type(c_ptr) :: data = c_null_ptr
    integer(c_int) :: precision = 0
    integer :: rank = 0
    integer(c_int64_t) :: extent(4) = 1, stride(4) = 0  !< in numbers
  end type placement

  type, bind(c) :: c_initialize_options
    integer(c_size_t) :: size
    integer(c_int) :: abi_version, threads, device
  end type c_initialize_options
  type, bind(c) :: c_workspace_options
    integer(c_size_t) :: size
    integer(c_int64_t) :: max_columns
    integer(c_int) :: backend, override_stream
    integer(c_int64_t) :: seed, stream
    integer(c_int) :: global_rows
    type(c_ptr) :: device_stream
  end type c_workspace_options
  type, bind(c) :: c_variable_info
    integer(c_size_t) :: size
    type(c_ptr) :: name, units, long_name
    integer(c_int64_t) :: elements
    real(c_double) :: minimum, maximum
  end type c_variable_info
  type, bind(c) :: c_law_info
    integer(c_size_t) :: size
    type(c_ptr) :: name, equation, units
    real(c_double) :: physics_tolerance
  end type c_law_info
  type, bind(c) :: c_run_arguments
    integer(c_size_t) :: size
    integer(c_int64_t) :: active_count
    type(c_ptr) :: active, mask, inputs
    integer(c_size_t) :: input_count
    type(c_ptr) :: outputs
    integer(c_size_t) :: output_count
    integer(c_int64_t) :: columns
    type(c_ptr) :: column_ids
    integer(c_int64_t) :: first_column_id, step
    type(c_ptr) :: step_ids
    integer(c_int64_t) :: member
    type(c_ptr) :: status
    integer(c_int64_t) :: block_columns
    type(c_ptr) :: input_block_strides, output_block_strides
    type(c_ptr) :: global, global_coefficients
    integer(c_int64_t) :: global_column_stride, global_row_stride, global_element_stride
    type(c_ptr) :: global_weights
  end type c_run_arguments
  type, bind(c) :: c_global_options
    integer(c_size_t) :: size
    integer(c_int) :: rows, members
    integer(c_int64_t) :: first_member
  end type c_global_options
  type, bind(c) :: c_global_closure
    integer(c_size_t) :: size
    real(c_double) :: right_hand_side, before, after, relative_before, relative_after, multiplier
    integer(c_int64_t) :: columns, left_out
  end type c_global_closure
  type, bind(c) :: c_run_report
    integer(c_size_t) :: size
    integer(c_int64_t) :: columns, non_finite, out_of_range, rank_deficient, invalid_argument
  end type c_run_report
  type, bind(c) :: c_constant_info
    integer(c_size_t) :: size
    type(c_ptr) :: name, units
    real(c_double) :: value, file_value
  end type c_constant_info
  type, bind(c) :: c_host_constant
    type(c_ptr) :: name
    real(c_double) :: value
    type(c_ptr) :: units
  end type c_host_constant
  type, bind(c) :: c_host_coordinate
    type(c_ptr) :: name, values
    integer(c_int64_t) :: count
  end type c_host_coordinate
  type, bind(c) :: c_host_constants
    integer(c_size_t) :: size
    type(c_ptr) :: constants
    integer(c_size_t) :: constant_count
    type(c_ptr) :: coordinates
    integer(c_size_t) :: coordinate_count
  end type c_host_constants
  type, bind(c) :: c_input_flag
    integer(c_size_t) :: size
    integer(c_int64_t) :: count
    type(c_ptr) :: name, units
    integer(c_int64_t) :: element
    real(c_double) :: value, minimum, maximum
    integer(c_int) :: status
  end type c_input_flag
  type, bind(c) :: c_monitor_options
    integer(c_size_t) :: size
    integer(c_int64_t) :: steps
    integer(c_int) :: stop
    type(c_ptr) :: physics
    integer(c_size_t) :: physics_count
    type(c_ptr) :: log
  end type c_monitor_options
  type, bind(c) :: c_monitor_report
    integer(c_size_t) :: size
    integer(c_int64_t) :: step, columns, out_of_range, left_out
    integer(c_int) :: violated
    type(c_ptr) :: message
  end type c_monitor_report
  type, bind(c) :: c_monitor_closure
    integer(c_size_t) :: size
    integer(c_int64_t) :: columns, non_finite
    real(c_double) :: max_absolute, rms, max_relative, tolerance
    integer(c_int) :: relative, violated
    integer(c_int64_t) :: worst_id, worst_column
    real(c_double) :: right_hand_side
    integer(c_size_t) :: term_count
  end type c_monitor_closure
  type, bind(c) :: c_monitor_term
    integer(c_size_t) :: size
    type(c_ptr) :: variable
    integer(c_int64_t) :: element
    real(c_double) :: coefficient, value
  end type c_monitor_term
  type, bind(c) :: c_monitor_skill
    integer(c_size_t) :: size
    integer(c_int64_t) :: columns, non_finite
    real(c_double) :: bias, rmse, mean_absolute_error, correlation, r_squared
  end type c_monitor_skill
  type, bind(c) :: c_law_closure
    integer(c_size_t) :: size
    real(c_double) :: max_absolute, rms, max_relative
    integer(c_int64_t) :: worst_column
  end type c_law_closure

  interface place
    procedure place_real32_1, place_real32_2, place_real32_3, place_real32_4, &
      place_real64_1, place_real64_2, place_real64_3, place_real64_4
  end interface place

  interface
    function lav_version() bind(c) result(text)
      import :: c_ptr
      type(c_ptr) :: text
    end function lav_version
    function lav_status_name(status) bind(c) result(text)
      import :: c_int, c_ptr
      integer(c_int), value :: status
      type(c_ptr) :: text
    end function lav_status_name
    function lav_last_error() bind(c) result(text)
      import :: c_ptr
      type(c_ptr) :: text
    end function lav_last_error
    function lav_initialize(options) bind(c) result(status)
      import :: c_initialize_options, c_int
      type(c_initialize_options), intent(in) :: options
      integer(c_int) :: status
    end function lav_initialize
    function lav_finalize() bind(c) result(status)
      import :: c_int
      integer(c_int) :: status
    end function lav_finalize
    function lav_is_initialized() bind(c) result(answer)
      import :: c_int
      integer(c_int) :: answer
    end function lav_is_initialized
    function lav_model_load(path, model) bind(c) result(status)
      import :: c_char, c_int, c_ptr
      character(kind=c_char), intent(in) :: path(*)
      type(c_ptr), intent(out) :: model
      integer(c_int) :: status
    end function lav_model_load
    function lav_model_share(model, other) bind(c) result(status)
      import :: c_int, c_ptr
      type(c_ptr), value :: model
      type(c_ptr), intent(out) :: other
      integer(c_int) :: status
    end function lav_model_share
    subroutine lav_model_destroy(model) bind(c)
      import :: c_ptr
      type(c_ptr), value :: model
    end subroutine lav_model_destroy
    function lav_model_input_count(model) bind(c) result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: model
      integer(c_size_t) :: count
    end function lav_model_input_count
    function lav_model_output_count(model) bind(c) result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: model
      integer(c_size_t) :: count
    end function lav_model_output_count
    function lav_model_law_count(model) bind(c) result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: model
      integer(c_size_t) :: count
    end function lav_model_law_count
    function lav_model_input(model, index, info) bind(c) result(status)
      import :: c_int, c_ptr, c_size_t, c_variable_info
      type(c_ptr), value :: model
      integer(c_size_t), value :: index
      type(c_variable_info), intent(inout) :: info
      integer(c_int) :: status
    end function lav_model_input
    function lav_model_output(model, index, info) bind(c) result(status)
      import :: c_int, c_ptr, c_size_t, c_variable_info
      type(c_ptr), value :: model
      integer(c_size_t), value :: index
      type(c_variable_info), intent(inout) :: info
      integer(c_int) :: status
    end function lav_model_output
    function lav_model_law(model, index, info) bind(c) result(status)
      import :: c_int, c_law_info, c_ptr, c_size_t
      type(c_ptr), value :: model
      integer(c_size_t), value :: index
      type(c_law_info), intent(inout) :: info
      integer(c_int) :: status
    end function lav_model_law
    function lav_model_digest(model) bind(c) result(text)
      import :: c_ptr
      type(c_ptr), value :: model
      type(c_ptr) :: text
    end function lav_model_digest
    function lav_model_strategy(model) bind(c) result(text)
      import :: c_ptr
      type(c_ptr), value :: model
      type(c_ptr) :: text
    end function lav_model_strategy
    function lav_workspace_create(model, options, workspace) bind(c) result(status)
      import :: c_int, c_ptr, c_workspace_options
      type(c_ptr), value :: model
      type(c_workspace_options), intent(in) :: options
      type(c_ptr), intent(out) :: workspace
      integer(c_int) :: status
    end function lav_workspace_create
    subroutine lav_workspace_destroy(workspace) bind(c)
      import :: c_ptr
      type(c_ptr), value :: workspace
    end subroutine lav_workspace_destroy
    function lav_workspace_backend(workspace) bind(c) result(text)
      import :: c_ptr
      type(c_ptr), value :: workspace
      type(c_ptr) :: text
    end function lav_workspace_backend
    function lav_workspace_instruction_set(workspace) bind(c) result(text)
      import :: c_ptr
      type(c_ptr), value :: workspace
      type(c_ptr) :: text
    end function lav_workspace_instruction_set
    function lav_run(workspace, arguments, report) bind(c) result(status)
      import :: c_int, c_ptr, c_run_arguments, c_run_report
      type(c_ptr), value :: workspace
      type(c_run_arguments), intent(in) :: arguments
      type(c_run_report), intent(inout) :: report
      integer(c_int) :: status
    end function lav_run
    function lav_run_mean(workspace, arguments, report) bind(c) result(status)
      import :: c_int, c_ptr, c_run_arguments, c_run_report
      type(c_ptr), value :: workspace
      type(c_run_arguments), intent(in) :: arguments
      type(c_run_report), intent(inout) :: report
      integer(c_int) :: status
    end function lav_run_mean
    function lav_correct(workspace, arguments, report) bind(c) result(status)
      import :: c_int, c_ptr, c_run_arguments, c_run_report
      type(c_ptr), value :: workspace
      type(c_run_arguments), intent(in) :: arguments
      type(c_run_report), intent(inout) :: report
      integer(c_int) :: status
    end function lav_correct
    function lav_correct_mean(workspace, arguments, report) bind(c) result(status)
      import :: c_int, c_ptr, c_run_arguments, c_run_report
      type(c_ptr), value :: workspace
      type(c_run_arguments), intent(in) :: arguments
      type(c_run_report), intent(inout) :: report
      integer(c_int) :: status
    end function lav_correct_mean
    function lav_global_laws_create(model, options, laws) bind(c) result(status)
      import :: c_global_options, c_int, c_ptr
      type(c_ptr), value :: model
      type(c_global_options), intent(in) :: options
      type(c_ptr), intent(out) :: laws
      integer(c_int) :: status
    end function lav_global_laws_create
    subroutine lav_global_laws_destroy(laws) bind(c)
      import :: c_ptr
      type(c_ptr), value :: laws
    end subroutine lav_global_laws_destroy
    function lav_global_laws_begin(laws, right_hand_side) bind(c) result(status)
      import :: c_double, c_int, c_ptr
      type(c_ptr), value :: laws
      real(c_double), intent(in) :: right_hand_side(*)
      integer(c_int) :: status
    end function lav_global_laws_begin
    function lav_global_laws_close(laws, mine, reduce, context) bind(c) result(status)
      import :: c_funptr, c_int, c_ptr
      type(c_ptr), value :: laws, context
      integer(c_int), value :: mine
      type(c_funptr), value :: reduce
      integer(c_int) :: status
    end function lav_global_laws_close
    function lav_global_laws_finish(laws, mine, reduce, context) bind(c) result(status)
      import :: c_funptr, c_int, c_ptr
      type(c_ptr), value :: laws, context
      integer(c_int), value :: mine
      type(c_funptr), value :: reduce
      integer(c_int) :: status
    end function lav_global_laws_finish
    function lav_global_laws_closure(laws, member, row, closure) bind(c) result(status)
      import :: c_global_closure, c_int, c_int64_t, c_ptr
      type(c_ptr), value :: laws
      integer(c_int64_t), value :: member
      integer(c_int), value :: row
      type(c_global_closure), intent(inout) :: closure
      integer(c_int) :: status
    end function lav_global_laws_closure
    function lav_workspace_law_closure(workspace, index, closure) bind(c) result(status)
      import :: c_int, c_law_closure, c_ptr, c_size_t
      type(c_ptr), value :: workspace
      integer(c_size_t), value :: index
      type(c_law_closure), intent(inout) :: closure
      integer(c_int) :: status
    end function lav_workspace_law_closure
    subroutine lav_set_log_handler(handler, context) bind(c)
      import :: c_funptr, c_ptr
      type(c_funptr), value :: handler
      type(c_ptr), value :: context
    end subroutine lav_set_log_handler
    function lav_model_constant_count(model) bind(c) result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: model
      integer(c_size_t) :: count
    end function lav_model_constant_count
    function lav_model_constant(model, index, info) bind(c) result(status)
      import :: c_constant_info, c_int, c_ptr, c_size_t
      type(c_ptr), value :: model
      integer(c_size_t), value :: index
      type(c_constant_info), intent(inout) :: info
      integer(c_int) :: status
    end function lav_model_constant
    function lav_model_with_constants(model, host, own) bind(c) result(status)
      import :: c_host_constants, c_int, c_ptr
      type(c_ptr), value :: model
      type(c_host_constants), intent(in) :: host
      type(c_ptr), intent(out) :: own
      integer(c_int) :: status
    end function lav_model_with_constants
    function lav_workspace_input_flag(workspace, arguments, column, index, flag) bind(c) result(status)
      import :: c_input_flag, c_int, c_int64_t, c_ptr, c_run_arguments
      type(c_ptr), value :: workspace
      type(c_run_arguments), intent(in) :: arguments
      integer(c_int64_t), value :: column, index
      type(c_input_flag), intent(inout) :: flag
      integer(c_int) :: status
    end function lav_workspace_input_flag
    function lav_monitor_create(model, options, monitor) bind(c) result(status)
      import :: c_int, c_monitor_options, c_ptr
      type(c_ptr), value :: model
      type(c_monitor_options), intent(in) :: options
      type(c_ptr), intent(out) :: monitor
      integer(c_int) :: status
    end function lav_monitor_create
    subroutine lav_monitor_destroy(monitor) bind(c)
      import :: c_ptr
      type(c_ptr), value :: monitor
    end subroutine lav_monitor_destroy
    function lav_monitor_is_active(monitor) bind(c) result(answer)
      import :: c_int, c_ptr
      type(c_ptr), value :: monitor
      integer(c_int) :: answer
    end function lav_monitor_is_active
    function lav_monitor_add(monitor, emulated, original, count, block_strides) bind(c) result(status)
      import :: c_int, c_ptr, c_run_arguments, c_size_t
      type(c_ptr), value :: monitor, original, block_strides
      type(c_run_arguments), intent(in) :: emulated
      integer(c_size_t), value :: count
      integer(c_int) :: status
    end function lav_monitor_add
    function lav_monitor_end_step(monitor, step, mine, reduce, context) bind(c) result(status)
      import :: c_funptr, c_int, c_int64_t, c_ptr
      type(c_ptr), value :: monitor, context
      integer(c_int64_t), value :: step
      integer(c_int), value :: mine
      type(c_funptr), value :: reduce
      integer(c_int) :: status
    end function lav_monitor_end_step
    function lav_monitor_last_report(monitor, report) bind(c) result(status)
      import :: c_int, c_monitor_report, c_ptr
      type(c_ptr), value :: monitor
      type(c_monitor_report), intent(inout) :: report
      integer(c_int) :: status
    end function lav_monitor_last_report
    function lav_monitor_law_closure(monitor, law, original, closure) bind(c) result(status)
      import :: c_int, c_monitor_closure, c_ptr, c_size_t
      type(c_ptr), value :: monitor
      integer(c_size_t), value :: law
      integer(c_int), value :: original
      type(c_monitor_closure), intent(inout) :: closure
      integer(c_int) :: status
    end function lav_monitor_law_closure
    function lav_monitor_law_term(monitor, law, original, term, found) bind(c) result(status)
      import :: c_int, c_monitor_term, c_ptr, c_size_t
      type(c_ptr), value :: monitor
      integer(c_size_t), value :: law, term
      integer(c_int), value :: original
      type(c_monitor_term), intent(inout) :: found
      integer(c_int) :: status
    end function lav_monitor_law_term
    function lav_monitor_variable_skill(monitor, variable, skill) bind(c) result(status)
      import :: c_int, c_monitor_skill, c_ptr, c_size_t
      type(c_ptr), value :: monitor
      integer(c_size_t), value :: variable
      type(c_monitor_skill), intent(inout) :: skill
      integer(c_int) :: status
    end function lav_monitor_variable_skill
    function c_strlen(text) bind(c, name="strlen") result(length)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: text
      integer(c_size_t) :: length
    end function c_strlen
  end interface

contains

  ! --- the library ---------------------------------------------------------------------------------------------------

  !> Starts Kokkos if nobody has; again is harmless. threads: of Kokkos' OpenMP (0: OMP_NUM_THREADS or all).
  subroutine lavoisier_initialize(threads, device, stat, errmsg)
    integer, intent(in), optional :: threads, device
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_initialize_options) :: options
    options = c_initialize_options(0_c_size_t, abi_version, 0_c_int, -1_c_int)
    options%size = c_sizeof(options)
    if (present(threads)) options%threads = int(threads, c_int)
    if (present(device)) options%device = int(device, c_int)
    call conclude(lav_initialize(options), stat, errmsg)
  end subroutine lavoisier_initialize

  !> Ends Kokkos if lavoisier_initialize started it; once, at the end, after every model and workspace is destroyed.
  subroutine lavoisier_finalize(stat, errmsg)
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call conclude(lav_finalize(), stat, errmsg)
  end subroutine lavoisier_finalize

  logical function lavoisier_is_initialized()
    lavoisier_is_initialized = lav_is_initialized() /= 0
  end function lavoisier_is_initialized

  function lavoisier_version() result(text)
    character(:), allocatable :: text
    text = text_of(lav_version())
  end function lavoisier_version

  !> "unit_mismatch" and so on.
  function lavoisier_status_name(status) result(text)
    integer, intent(in) :: status
    character(:), allocatable :: text
    text = text_of(lav_status_name(int(status, c_int)))
  end function lavoisier_status_name

  !> What was expected, found and where, of the calling thread's last failure.
  function lavoisier_last_error() result(text)
    character(:), allocatable :: text
    text = text_of(lav_last_error())
  end function lavoisier_last_error

  !> Where the library's warnings go; absent: nowhere, as at the beginning. One handler for the program, called on the
  !! thread that met what it tells.
  subroutine lavoisier_set_log_handler(handler)
    procedure(lavoisier_log_handler), optional :: handler
    log_handler => null()
    if (present(handler)) then
      log_handler => handler
      call lav_set_log_handler(c_funloc(pass_on), c_null_ptr)
    else
      call lav_set_log_handler(c_null_funptr, c_null_ptr)
    end if
  end subroutine lavoisier_set_log_handler

  subroutine pass_on(context, message) bind(c, name="")
    type(c_ptr), value :: context, message
    if (c_associated(context)) return  ! never: it is null
    if (associated(log_handler)) call log_handler(text_of(message))
  end subroutine pass_on

  ! --- models --------------------------------------------------------------------------------------------------------

  !> Reads, verifies and prepares a model file. On failure no model is loaded.
  subroutine model_load(self, path, stat, errmsg)
    class(lavoisier_model), intent(inout) :: self
    character(*), intent(in) :: path
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call self%destroy()
    call conclude(lav_model_load(terminated(path), self%handle), stat, errmsg)
  end subroutine model_load

  !> Takes over a handle (lav_model*) that other code has made, such as module lavoisier_mpi; destroys it at the end.
  subroutine model_adopt(self, handle)
    class(lavoisier_model), intent(inout) :: self
    type(c_ptr), intent(in) :: handle
    call self%destroy()
    self%handle = handle
  end subroutine model_adopt

  !> Workspaces made from the model stay valid. Without a model: nothing.
  subroutine model_destroy(self)
    class(lavoisier_model), intent(inout) :: self
    call lav_model_destroy(self%handle)
    self%handle = c_null_ptr
  end subroutine model_destroy

  subroutine model_finalize(self)
    type(lavoisier_model), intent(inout) :: self
    call self%destroy()
  end subroutine model_finalize

  subroutine model_assign(self, other)
    class(lavoisier_model), intent(inout) :: self
    type(lavoisier_model), intent(in) :: other
    type(c_ptr) :: shared
    shared = c_null_ptr
    if (c_associated(other%handle)) call conclude(lav_model_share(other%handle, shared))
    call self%destroy()
    self%handle = shared
  end subroutine model_assign

  logical function model_is_loaded(self)
    class(lavoisier_model), intent(in) :: self
    model_is_loaded = c_associated(self%handle)
  end function model_is_loaded

  !> Counts without a model are 0.
  integer function model_input_count(self)
    class(lavoisier_model), intent(in) :: self
    model_input_count = int(lav_model_input_count(self%handle))
  end function model_input_count
  integer function model_output_count(self)
    class(lavoisier_model), intent(in) :: self
    model_output_count = int(lav_model_output_count(self%handle))
  end function model_output_count
  integer function model_law_count(self)
    class(lavoisier_model), intent(in) :: self
    model_law_count = int(lav_model_law_count(self%handle))
  end function model_law_count

  !> Input, output, law `index`, from 1.
  subroutine model_input(self, index, variable, stat, errmsg)
    class(lavoisier_model), intent(in) :: self
    integer, intent(in) :: index
    type(lavoisier_variable), intent(out) :: variable
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call describe(self%handle, .true., index, variable, stat, errmsg)
  end subroutine model_input
  subroutine model_output(self, index, variable, stat, errmsg)
    class(lavoisier_model), intent(in) :: self
    integer, intent(in) :: index
    type(lavoisier_variable), intent(out) :: variable
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call describe(self%handle, .false., index, variable, stat, errmsg)
  end subroutine model_output
  subroutine model_law(self, index, law, stat, errmsg)
    class(lavoisier_model), intent(in) :: self
    integer, intent(in) :: index
    type(lavoisier_law), intent(out) :: law
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_law_info) :: info
    integer(c_int) :: status
    info = c_law_info(0_c_size_t, c_null_ptr, c_null_ptr, c_null_ptr, 0.0_c_double)
    info%size = c_sizeof(info)
    status = lav_model_law(self%handle, int(index, c_size_t) - 1_c_size_t, info)
    if (status == 0) then
      law%name = text_of(info%name)
      law%equation = text_of(info%equation)
      law%units = text_of(info%units)
      law%physics_tolerance = info%physics_tolerance
    end if
    call conclude(status, stat, errmsg)
  end subroutine model_law

  integer function model_constant_count(self)
    class(lavoisier_model), intent(in) :: self
    model_constant_count = int(lav_model_constant_count(self%handle))
  end function model_constant_count

  !> Constant `index`, from 1.
  subroutine model_constant(self, index, constant, stat, errmsg)
    class(lavoisier_model), intent(in) :: self
    integer, intent(in) :: index
    type(lavoisier_constant), intent(out) :: constant
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_constant_info) :: info
    integer(c_int) :: status
    info = c_constant_info(0_c_size_t, c_null_ptr, c_null_ptr, 0.0_c_double, 0.0_c_double)
    info%size = c_sizeof(info)
    status = lav_model_constant(self%handle, int(index, c_size_t) - 1_c_size_t, info)
    if (status == 0) then
      constant%name = text_of(info%name)
      constant%units = text_of(info%units)
      constant%value = info%value
      constant%file_value = info%file_value
    end if
    call conclude(status, stat, errmsg)
  end subroutine model_constant

  !> The host's physical constants in place of the model file's, in every number of the laws of workspaces that are made
  !! afterwards. Each is first compared with the file's: beyond 1e-6, relative, it is refused with both values, and the
  !! model is as before. units: one a constant; absent: not checked.
  subroutine model_set_constants(self, names, values, units, stat, errmsg)
    class(lavoisier_model), intent(inout) :: self
    character(*), intent(in) :: names(:)
    real(real64), intent(in) :: values(:)
    character(*), intent(in), optional :: units(:)
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    character(kind=c_char, len=len(names) + 1), target :: c_names(size(names))
    character(kind=c_char, len=longest_units + 1), target :: c_units(size(names))
    type(c_host_constant), target :: constants(size(names))
    type(c_host_constants) :: host
    integer :: i
    if (size(values) /= size(names)) then
      call complain(lavoisier_shape_mismatch, "set_constants: expected a value for each of "// &
                    decimal(size(names, kind=c_int64_t))//" names, found "//decimal(size(values, kind=c_int64_t)), &
                    stat, errmsg)
      return
    end if
    if (present(units)) then
      if (size(units) /= size(names)) then
        call complain(lavoisier_shape_mismatch, "set_constants: expected units for each of "// &
                      decimal(size(names, kind=c_int64_t))//" names, found "//decimal(size(units, kind=c_int64_t)), &
                      stat, errmsg)
        return
      end if
      if (maxval([0, len_trim(units)]) > longest_units) then
        call complain(lavoisier_unit_mismatch, "set_constants: units of more than "// &
                      decimal(int(longest_units, c_int64_t))//" letters", stat, errmsg)
        return
      end if
    end if
    do i = 1, size(names)
      c_names(i) = terminated(names(i))
      constants(i) = c_host_constant(c_loc(c_names(i)), values(i), c_null_ptr)
      if (.not. present(units)) cycle
      c_units(i) = terminated(units(i))
      constants(i)%units = c_loc(c_units(i))
    end do
    host = c_host_constants(0_c_size_t, c_null_ptr, size(names, kind=c_size_t), c_null_ptr, 0_c_size_t)
    if (size(names) > 0) host%constants = c_loc(constants)
    call replace(self, host, stat, errmsg)
  end subroutine model_set_constants

  !> The same of a coordinate: its values over a dimension of the model, or of a coordinate variable.
  subroutine model_set_coordinate(self, name, values, stat, errmsg)
    class(lavoisier_model), intent(inout) :: self
    character(*), intent(in) :: name
    real(real64), intent(in) :: values(:)
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    character(kind=c_char, len=len(name) + 1), target :: c_name
    real(c_double), target :: copy(max(size(values), 1))
    type(c_host_coordinate), target :: coordinate
    c_name = terminated(name)
    copy(:size(values)) = values
    coordinate = c_host_coordinate(c_loc(c_name), c_loc(copy), size(values, kind=c_int64_t))
    call replace(self, c_host_constants(0_c_size_t, c_null_ptr, 0_c_size_t, c_loc(coordinate), 1_c_size_t), stat, &
                 errmsg)
  end subroutine model_set_coordinate

  subroutine replace(model, host, stat, errmsg)
    class(lavoisier_model), intent(inout) :: model
    type(c_host_constants), intent(in) :: host
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_host_constants) :: sized
    type(c_ptr) :: own
    integer(c_int) :: status
    sized = host
    sized%size = c_sizeof(sized)
    status = lav_model_with_constants(model%handle, sized, own)
    if (status == 0) then
      call model%destroy()
      model%handle = own
    end if
    call conclude(status, stat, errmsg)
  end subroutine replace

  !> 64 hex decimal; empty without a model.
  function model_digest(self) result(text)
    class(lavoisier_model), intent(in) :: self
    character(:), allocatable :: text
    text = text_of(lav_model_digest(self%handle))
  end function model_digest
  function model_strategy(self) result(text)
    class(lavoisier_model), intent(in) :: self
    character(:), allocatable :: text
    text = text_of(lav_model_strategy(self%handle))
  end function model_strategy

  ! --- workspaces ----------------------------------------------------------------------------------------------------

  !> max_columns: capacity of one run. stream: by default the model digest's. seed and stream are taken bit by bit.
  !! global_rows: of the global laws that its runs may belong to (default 0).
  !! device_stream: of a device, the host's stream (default: Kokkos' own).
  subroutine workspace_create(self, model, max_columns, seed, stream, backend, global_rows, device_stream, stat, errmsg)
    class(lavoisier_workspace), intent(inout) :: self
    type(lavoisier_model), intent(in) :: model
    integer, intent(in), optional :: max_columns, backend, global_rows
    integer(int64), intent(in), optional :: seed, stream
    type(c_ptr), intent(in), optional :: device_stream
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_workspace_options) :: options
    type(c_variable_info) :: info
    integer(c_int) :: status
    integer :: i
    call self%destroy()
    options = c_workspace_options(0_c_size_t, 1024_c_int64_t, 0_c_int, 0_c_int, 0_c_int64_t, 0_c_int64_t, 0_c_int, &
                                  c_null_ptr)
    options%size = c_sizeof(options)
    if (present(max_columns)) options%max_columns = int(max_columns, c_int64_t)
    if (present(backend)) options%backend = int(backend, c_int)
    if (present(global_rows)) options%global_rows = int(global_rows, c_int)
    if (present(device_stream)) options%device_stream = device_stream
    if (present(seed)) options%seed = seed
    if (present(stream)) then
      options%override_stream = 1
      options%stream = stream
    end if
    status = lav_workspace_create(model%handle, options, self%handle)
    if (status == 0) status = lav_model_share(model%handle, self%model)
    if (status == 0) then
      call make_fields(self%inputs, int(lav_model_input_count(self%model)))
      call make_fields(self%outputs, int(lav_model_output_count(self%model)))
      self%outputs_of_model = 0
      do i = 1, self%outputs%count
        call variable_info(self%model, .false., i, info, status)
        self%outputs_of_model = self%outputs_of_model + info%elements
      end do
    end if
    call conclude(status, stat, errmsg)
  end subroutine workspace_create

  subroutine workspace_destroy(self)
    class(lavoisier_workspace), intent(inout) :: self
    call lav_workspace_destroy(self%handle)
    call lav_model_destroy(self%model)
    self%handle = c_null_ptr
    self%model = c_null_ptr
    call free_fields(self%inputs)
    call free_fields(self%outputs)
    if (associated(self%active)) deallocate (self%active)
    if (associated(self%column_ids)) deallocate (self%column_ids)
    if (associated(self%step_ids)) deallocate (self%step_ids)
    if (associated(self%mask)) deallocate (self%mask)
    if (associated(self%status)) deallocate (self%status)
  end subroutine workspace_destroy

  subroutine workspace_finalize(self)
    type(lavoisier_workspace), intent(inout) :: self
    call self%destroy()
  end subroutine workspace_finalize

  subroutine workspace_assign(self, other)
    class(lavoisier_workspace), intent(inout) :: self
    type(lavoisier_workspace), intent(in) :: other
    if (c_associated(self%handle) .or. c_associated(other%handle)) then
      write (error_unit, "(a)") "lavoisier: a workspace cannot be copied; create one for each thread"
      error stop 1
    end if
  end subroutine workspace_assign

  logical function workspace_is_created(self)
    class(lavoisier_workspace), intent(in) :: self
    workspace_is_created = c_associated(self%handle)
  end function workspace_is_created

  !> "serial", "openmp", "cuda".
  function workspace_backend(self) result(text)
    class(lavoisier_workspace), intent(in) :: self
    character(:), allocatable :: text
    text = text_of(lav_workspace_backend(self%handle))
  end function workspace_backend
  function workspace_instruction_set(self) result(text)
    class(lavoisier_workspace), intent(in) :: self
    character(:), allocatable :: text
    text = text_of(lav_workspace_instruction_set(self%handle))
  end function workspace_instruction_set

  !> One draw a column; every field is checked before any is touched.
  !!
  !! columns: of the fields, the first so many (default: all); in blocks the last may be partly filled. active (indices
  !! from 1) or mask select among them. Identities are the host's, zero-based as in files and taken bit by bit:
  !! column_ids, one a column, or first_column_id + index (default: 0, 1, 2, ...); step, or step_ids, one a column;
  !! member from 0 to 2**32 - 1. status: one a column, written for the computed columns only.
  !! global: laws over all columns to which the run belongs; their rows B in global_coefficients(element, row, column),
  !! elements through the model's outputs one after the other, a last extent of 1: the same for every column; times
  !! global_weights(column).
  subroutine workspace_run(self, columns, step, member, first_column_id, column_ids, step_ids, active, mask, &
                     status, global, global_coefficients, global_weights, report, stat, errmsg)
    class(lavoisier_workspace), intent(inout) :: self
    integer, intent(in), optional :: columns
    integer(int64), intent(in), optional :: step, member, first_column_id, column_ids(:), step_ids(:)
    integer, intent(in), optional :: active(:)
    logical, intent(in), optional :: mask(:)
    integer, intent(inout), optional :: status(:)
    type(lavoisier_global_laws), intent(in), optional :: global
    real(real64), intent(in), optional, target :: global_coefficients(:, :, :), global_weights(:)
    type(lavoisier_report), intent(out), optional :: report
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call run_any(self, call_run, columns, step, member, first_column_id, column_ids, step_ids, active, mask, &
                 status, global, global_coefficients, global_weights, report, stat, errmsg)
  end subroutine workspace_run

  !> The conditional mean instead of a draw.
  subroutine workspace_run_mean(self, columns, step, member, first_column_id, column_ids, step_ids, active, mask, &
                     status, global, global_coefficients, global_weights, report, stat, errmsg)
    class(lavoisier_workspace), intent(inout) :: self
    integer, intent(in), optional :: columns
    integer(int64), intent(in), optional :: step, member, first_column_id, column_ids(:), step_ids(:)
    integer, intent(in), optional :: active(:)
    logical, intent(in), optional :: mask(:)
    integer, intent(inout), optional :: status(:)
    type(lavoisier_global_laws), intent(in), optional :: global
    real(real64), intent(in), optional, target :: global_coefficients(:, :, :), global_weights(:)
    type(lavoisier_report), intent(out), optional :: report
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call run_any(self, call_run_mean, columns, step, member, first_column_id, column_ids, step_ids, active, mask, &
                 status, global, global_coefficients, global_weights, report, stat, errmsg)
  end subroutine workspace_run_mean

  !> Draws again what run drew with these arguments, corrects it for the closed global laws, and stores it.
  subroutine workspace_correct(self, columns, step, member, first_column_id, column_ids, step_ids, active, mask, &
                     status, global, global_coefficients, global_weights, report, stat, errmsg)
    class(lavoisier_workspace), intent(inout) :: self
    integer, intent(in), optional :: columns
    integer(int64), intent(in), optional :: step, member, first_column_id, column_ids(:), step_ids(:)
    integer, intent(in), optional :: active(:)
    logical, intent(in), optional :: mask(:)
    integer, intent(inout), optional :: status(:)
    type(lavoisier_global_laws), intent(in), optional :: global
    real(real64), intent(in), optional, target :: global_coefficients(:, :, :), global_weights(:)
    type(lavoisier_report), intent(out), optional :: report
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call run_any(self, call_correct, columns, step, member, first_column_id, column_ids, step_ids, active, mask, &
                 status, global, global_coefficients, global_weights, report, stat, errmsg)
  end subroutine workspace_correct

  !> The same of run_mean.
  subroutine workspace_correct_mean(self, columns, step, member, first_column_id, column_ids, step_ids, active, mask, &
                     status, global, global_coefficients, global_weights, report, stat, errmsg)
    class(lavoisier_workspace), intent(inout) :: self
    integer, intent(in), optional :: columns
    integer(int64), intent(in), optional :: step, member, first_column_id, column_ids(:), step_ids(:)
    integer, intent(in), optional :: active(:)
    logical, intent(in), optional :: mask(:)
    integer, intent(inout), optional :: status(:)
    type(lavoisier_global_laws), intent(in), optional :: global
    real(real64), intent(in), optional, target :: global_coefficients(:, :, :), global_weights(:)
    type(lavoisier_report), intent(out), optional :: report
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call run_any(self, call_correct_mean, columns, step, member, first_column_id, column_ids, step_ids, active, mask, &
                 status, global, global_coefficients, global_weights, report, stat, errmsg)
  end subroutine workspace_correct_mean

  !> Closure of law `index` (from 1) over the last successful run.
  subroutine workspace_law_closure(self, index, closure, stat, errmsg)
    class(lavoisier_workspace), intent(in) :: self
    integer, intent(in) :: index
    type(lavoisier_closure), intent(out) :: closure
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_law_closure) :: found
    integer(c_int) :: status
    found = c_law_closure(0_c_size_t, 0.0_c_double, 0.0_c_double, 0.0_c_double, -1_c_int64_t)
    found%size = c_sizeof(found)
    status = lav_workspace_law_closure(self%handle, int(index, c_size_t) - 1_c_size_t, found)
    if (status == 0) closure = lavoisier_closure(found%max_absolute, found%rms, found%max_relative, &
                                                 found%worst_column + 1)
    call conclude(status, stat, errmsg)
  end subroutine workspace_law_closure

  !> Why a column (from 1) was flagged: element number `index` (default 1) of its inputs that is no number or outside
  !! its training range, found on demand in the fields as they are now. flag%count: how many there are; without one of
  !! this number, flag%name is empty. columns: as in the run.
  subroutine workspace_input_flag(self, column, flag, index, columns, stat, errmsg)
    class(lavoisier_workspace), intent(inout) :: self
    integer, intent(in) :: column
    type(lavoisier_input_flag), intent(out) :: flag
    integer, intent(in), optional :: index, columns
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_run_arguments) :: a
    type(c_input_flag) :: found
    character(:), allocatable :: message
    integer(c_int64_t) :: n, block_columns, number
    integer(c_int) :: status
    integer :: failure
    block_columns = 0
    n = -1
    call make_arguments(self, a, n, block_columns, failure, message, columns=columns)
    if (allocated(message)) then
      call complain(failure, message, stat, errmsg)
      return
    end if
    number = 0
    if (present(index)) number = int(index, c_int64_t) - 1
    found = c_input_flag(0_c_size_t, 0_c_int64_t, c_null_ptr, c_null_ptr, 0_c_int64_t, 0.0_c_double, 0.0_c_double, &
                         0.0_c_double, 0_c_int)
    found%size = c_sizeof(found)
    status = lav_workspace_input_flag(self%handle, a, int(column, c_int64_t) - 1, number, found)
    if (status == 0) then
      flag%count = found%count
      flag%name = text_of(found%name)
      flag%units = text_of(found%units)
      flag%value = found%value
      flag%minimum = found%minimum
      flag%maximum = found%maximum
      flag%status = int(found%status)
      if (c_associated(found%name)) flag%element = found%element + 1
    end if
    call conclude(status, stat, errmsg)
  end subroutine workspace_input_flag

  ! --- monitors -------------------------------------------------------------------------------------------------------

  !> steps: that are watched, from the first (default: all; 0: none). stop: a law that the emulator violates is the stat
  !! of end_step; else only a warning (lavoisier_set_log_handler). physics: one a law, its physics tolerance in place of
  !! the identity's. log: CSV file to append to; one that can't be opened is a stat.
  subroutine monitor_create(self, model, steps, stop, physics, log, stat, errmsg)
    class(lavoisier_monitor), intent(inout) :: self
    type(lavoisier_model), intent(in) :: model
    integer(int64), intent(in), optional :: steps
    logical, intent(in), optional :: stop, physics(:)
    character(*), intent(in), optional :: log
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_monitor_options) :: options
    integer(c_int), allocatable, target :: of_law(:)
    character(kind=c_char, len=:), allocatable, target :: path
    integer(c_int) :: status
    call self%destroy()
    options = c_monitor_options(0_c_size_t, -1_c_int64_t, 0_c_int, c_null_ptr, 0_c_size_t, c_null_ptr)
    options%size = c_sizeof(options)
    if (present(steps)) options%steps = steps
    if (present(stop)) options%stop = merge(1_c_int, 0_c_int, stop)
    if (present(physics)) then
      allocate (of_law(max(size(physics), 1)))
      of_law(:size(physics)) = merge(1_c_int, 0_c_int, physics)
      options%physics = c_loc(of_law)
      options%physics_count = size(physics, kind=c_size_t)
    end if
    if (present(log)) then
      path = terminated(log)
      options%log = c_loc(path)
    end if
    status = lav_monitor_create(model%handle, options, self%handle)
    if (status == 0) status = lav_model_share(model%handle, self%model)
    if (status == 0) call make_fields(self%outputs, int(lav_model_output_count(self%model)))
    call conclude(status, stat, errmsg)
  end subroutine monitor_create

  subroutine monitor_destroy(self)
    class(lavoisier_monitor), intent(inout) :: self
    call lav_monitor_destroy(self%handle)
    call lav_model_destroy(self%model)
    self%handle = c_null_ptr
    self%model = c_null_ptr
    call free_fields(self%outputs)
  end subroutine monitor_destroy

  subroutine monitor_finalize(self)
    type(lavoisier_monitor), intent(inout) :: self
    call self%destroy()
  end subroutine monitor_finalize

  subroutine monitor_assign(self, other)
    class(lavoisier_monitor), intent(inout) :: self
    type(lavoisier_monitor), intent(in) :: other
    if (c_associated(self%handle) .or. c_associated(other%handle)) then
      write (error_unit, "(a)") "lavoisier: a monitor cannot be copied"
      error stop 1
    end if
  end subroutine monitor_assign

  !> Steps are left to watch.
  logical function monitor_is_active(self)
    class(lavoisier_monitor), intent(in) :: self
    monitor_is_active = lav_monitor_is_active(self%handle) /= 0
  end function monitor_is_active

  !> What `emulator` has run last, from its fields as they are now, beside the host's own (set_output). The arguments
  !! are those of the run; give it the status that the run gave, so that columns without a result are known.
  subroutine monitor_add(self, emulator, columns, first_column_id, column_ids, active, mask, status, stat, errmsg)
    class(lavoisier_monitor), intent(inout) :: self
    class(lavoisier_workspace), intent(inout) :: emulator
    integer, intent(in), optional :: columns
    integer(int64), intent(in), optional :: first_column_id, column_ids(:)
    integer, intent(in), optional :: active(:), status(:)
    logical, intent(in), optional :: mask(:)
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_run_arguments) :: a
    type(c_ptr) :: original, strides
    character(:), allocatable :: message
    integer(c_int64_t) :: n, block_columns
    integer :: failure, originals
    if (present(stat)) stat = 0
    if (c_associated(self%handle)) then
      if (.not. self%is_active()) return
    end if
    block_columns = 0
    n = -1
    failure = lavoisier_shape_mismatch
    call show(self%model, .false., present(columns), self%outputs, block_columns, n, originals, message)
    if (.not. allocated(message)) &
      call make_arguments(emulator, a, n, block_columns, failure, message, columns, first_column_id=first_column_id, &
                          column_ids=column_ids, active=active, mask=mask, status=status)
    if (allocated(message)) then
      call complain(failure, message, stat, errmsg)
      return
    end if
    original = c_null_ptr
    strides = c_null_ptr
    if (block_columns > 0) call show_blocks(self%outputs, block_columns)
    if (originals > 0) then
      original = c_loc(self%outputs%shown(1))
      strides = c_loc(self%outputs%block_strides(1))
    end if
    call conclude(lav_monitor_add(self%handle, a, original, int(originals, c_size_t), strides), stat, errmsg)
  end subroutine monitor_add

  !> Ends the step: report, warning, log. stat: lavoisier_law_violated (with stop=), that of a log that could not be
  !! written, 0; the report is whole in each case. status, reduce, context: of all ranks, as in lavoisier_global_laws.
  subroutine monitor_end_step(self, step, status, reduce, context, stat, errmsg)
    class(lavoisier_monitor), intent(inout) :: self
    integer(int64), intent(in) :: step
    integer, intent(in), optional :: status
    type(c_funptr), intent(in), optional :: reduce
    type(c_ptr), intent(in), optional :: context
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_funptr) :: function_of_host
    type(c_ptr) :: context_of_host
    integer(c_int) :: mine
    call collective(status, reduce, context, mine, function_of_host, context_of_host)
    call conclude(lav_monitor_end_step(self%handle, step, mine, function_of_host, context_of_host), stat, errmsg)
  end subroutine monitor_end_step

  subroutine monitor_report(self, report, stat, errmsg)
    class(lavoisier_monitor), intent(in) :: self
    type(lavoisier_monitor_report), intent(out) :: report
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_monitor_report) :: found
    integer(c_int) :: status
    found = c_monitor_report(0_c_size_t, 0_c_int64_t, 0_c_int64_t, 0_c_int64_t, 0_c_int64_t, 0_c_int, c_null_ptr)
    found%size = c_sizeof(found)
    status = lav_monitor_last_report(self%handle, found)
    if (status == 0) then
      report%step = found%step
      report%columns = found%columns
      report%out_of_range = found%out_of_range
      report%left_out = found%left_out
      report%violated = found%violated /= 0
      report%message = text_of(found%message)
    end if
    call conclude(status, stat, errmsg)
  end subroutine monitor_report

  !> Law `index`, from 1, of the emulator's outputs, or of the host's own (original=.true.).
  subroutine monitor_law_closure(self, index, closure, original, stat, errmsg)
    class(lavoisier_monitor), intent(in) :: self
    integer, intent(in) :: index
    type(lavoisier_monitor_closure), intent(out) :: closure
    logical, intent(in), optional :: original
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_monitor_closure) :: found
    type(c_monitor_term) :: term
    integer(c_int) :: status, source
    integer(c_size_t) :: law, t
    source = 0
    if (present(original)) source = merge(1_c_int, 0_c_int, original)
    law = int(index, c_size_t) - 1_c_size_t
    found = c_monitor_closure(0_c_size_t, 0_c_int64_t, 0_c_int64_t, 0.0_c_double, 0.0_c_double, 0.0_c_double, &
                              0.0_c_double, 1_c_int, 0_c_int, 0_c_int64_t, -1_c_int64_t, 0.0_c_double, 0_c_size_t)
    found%size = c_sizeof(found)
    term = c_monitor_term(0_c_size_t, c_null_ptr, 0_c_int64_t, 0.0_c_double, 0.0_c_double)
    term%size = c_sizeof(term)
    status = lav_monitor_law_closure(self%handle, law, source, found)
    if (status == 0) then
      closure%columns = found%columns
      closure%non_finite = found%non_finite
      closure%max_absolute = found%max_absolute
      closure%rms = found%rms
      closure%max_relative = found%max_relative
      closure%tolerance = found%tolerance
      closure%relative = found%relative /= 0
      closure%violated = found%violated /= 0
      closure%worst_id = found%worst_id
      closure%worst_column = found%worst_column + 1
      closure%right_hand_side = found%right_hand_side
      allocate (closure%terms(found%term_count))
      do t = 1, found%term_count
        if (status == 0) status = lav_monitor_law_term(self%handle, law, source, t - 1_c_size_t, term)
        closure%terms(t)%variable = text_of(term%variable)
        closure%terms(t)%element = term%element + 1
        closure%terms(t)%coefficient = term%coefficient
        closure%terms(t)%value = term%value
      end do
    end if
    call conclude(status, stat, errmsg)
  end subroutine monitor_law_closure

  !> Output `index`, from 1, of the emulator against the host's own.
  subroutine monitor_skill(self, index, skill, stat, errmsg)
    class(lavoisier_monitor), intent(in) :: self
    integer, intent(in) :: index
    type(lavoisier_monitor_skill), intent(out) :: skill
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_monitor_skill) :: found
    integer(c_int) :: status
    found = c_monitor_skill(0_c_size_t, 0_c_int64_t, 0_c_int64_t, 0.0_c_double, 0.0_c_double, 0.0_c_double, &
                            0.0_c_double, 0.0_c_double)
    found%size = c_sizeof(found)
    status = lav_monitor_variable_skill(self%handle, int(index, c_size_t) - 1_c_size_t, found)
    if (status == 0) skill = lavoisier_monitor_skill(found%columns, found%non_finite, found%bias, found%rmse, &
                                                     found%mean_absolute_error, found%correlation, found%r_squared)
    call conclude(status, stat, errmsg)
  end subroutine monitor_skill

  ! --- global laws ----------------------------------------------------------------------------------------------------

  !> rows: laws, 1 to 64. members: of an ensemble, from first_member, reduced together.
  subroutine global_create(self, model, rows, members, first_member, stat, errmsg)
    class(lavoisier_global_laws), intent(inout) :: self
    type(lavoisier_model), intent(in) :: model
    integer, intent(in), optional :: rows, members
    integer(int64), intent(in), optional :: first_member
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_global_options) :: options
    call self%destroy()
    options = c_global_options(0_c_size_t, 1_c_int, 1_c_int, 0_c_int64_t)
    options%size = c_sizeof(options)
    if (present(rows)) options%rows = int(rows, c_int)
    if (present(members)) options%members = int(members, c_int)
    if (present(first_member)) options%first_member = first_member
    self%rows = int(options%rows)
    call conclude(lav_global_laws_create(model%handle, options, self%handle), stat, errmsg)
  end subroutine global_create

  subroutine global_destroy(self)
    class(lavoisier_global_laws), intent(inout) :: self
    call lav_global_laws_destroy(self%handle)
    self%handle = c_null_ptr
    self%rows = 0
  end subroutine global_destroy

  subroutine global_finalize(self)
    type(lavoisier_global_laws), intent(inout) :: self
    call self%destroy()
  end subroutine global_finalize

  subroutine global_assign(self, other)
    class(lavoisier_global_laws), intent(inout) :: self
    type(lavoisier_global_laws), intent(in) :: other
    if (c_associated(self%handle) .or. c_associated(other%handle)) then
      write (error_unit, "(a)") "lavoisier: global laws cannot be copied"
      error stop 1
    end if
  end subroutine global_assign

  !> Empties the sums. right_hand_side: D, one a row, the same on every rank.
  subroutine global_begin(self, right_hand_side, stat, errmsg)
    class(lavoisier_global_laws), intent(inout) :: self
    real(real64), intent(in) :: right_hand_side(:)
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    if (size(right_hand_side) /= self%rows) then
      call complain(lavoisier_shape_mismatch, "right_hand_side: expected one a row ("// &
                    decimal(int(self%rows, c_int64_t))//"), found "// &
                    decimal(size(right_hand_side, kind=c_int64_t)), stat, errmsg)
      return
    end if
    call conclude(lav_global_laws_begin(self%handle, right_hand_side), stat, errmsg)
  end subroutine global_begin

  !> status: lavoisier_ok, or how this rank failed before: then every rank fails and none waits. reduce: a lav_reduce
  !! (c_funloc of lav_mpi_reduce, say) with its context; absent: one process.
  subroutine global_close(self, status, reduce, context, stat, errmsg)
    class(lavoisier_global_laws), intent(inout) :: self
    integer, intent(in), optional :: status
    type(c_funptr), intent(in), optional :: reduce
    type(c_ptr), intent(in), optional :: context
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call end_phase(self%handle, .true., status, reduce, context, stat, errmsg)
  end subroutine global_close
  subroutine global_finish(self, status, reduce, context, stat, errmsg)
    class(lavoisier_global_laws), intent(inout) :: self
    integer, intent(in), optional :: status
    type(c_funptr), intent(in), optional :: reduce
    type(c_ptr), intent(in), optional :: context
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call end_phase(self%handle, .false., status, reduce, context, stat, errmsg)
  end subroutine global_finish

  subroutine end_phase(handle, closing, status, reduce, context, stat, errmsg)
    type(c_ptr), intent(in) :: handle
    logical, intent(in) :: closing
    integer, intent(in), optional :: status
    type(c_funptr), intent(in), optional :: reduce
    type(c_ptr), intent(in), optional :: context
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_funptr) :: function_of_host
    type(c_ptr) :: context_of_host
    integer(c_int) :: mine
    call collective(status, reduce, context, mine, function_of_host, context_of_host)
    if (closing) then
      call conclude(lav_global_laws_close(handle, mine, function_of_host, context_of_host), stat, errmsg)
    else
      call conclude(lav_global_laws_finish(handle, mine, function_of_host, context_of_host), stat, errmsg)
    end if
  end subroutine end_phase

  !> What a call of all ranks is given, where it is given.
  subroutine collective(status, reduce, context, mine, function_of_host, context_of_host)
    integer, intent(in), optional :: status
    type(c_funptr), intent(in), optional :: reduce
    type(c_ptr), intent(in), optional :: context
    integer(c_int), intent(out) :: mine
    type(c_funptr), intent(out) :: function_of_host
    type(c_ptr), intent(out) :: context_of_host
    mine = 0
    function_of_host = c_null_funptr
    context_of_host = c_null_ptr
    if (present(status)) mine = int(status, c_int)
    if (present(reduce)) function_of_host = reduce
    if (present(context)) context_of_host = context
  end subroutine collective

  !> row: from 1.
  subroutine global_closure(self, row, closure, member, stat, errmsg)
    class(lavoisier_global_laws), intent(in) :: self
    integer, intent(in) :: row
    type(lavoisier_global_closure), intent(out) :: closure
    integer(int64), intent(in), optional :: member
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_global_closure) :: found
    integer(c_int64_t) :: of_member
    integer(c_int) :: status
    of_member = 0
    if (present(member)) of_member = member
    found = c_global_closure(0_c_size_t, 0.0_c_double, 0.0_c_double, 0.0_c_double, 0.0_c_double, 0.0_c_double, &
                             0.0_c_double, 0_c_int64_t, 0_c_int64_t)
    found%size = c_sizeof(found)
    status = lav_global_laws_closure(self%handle, of_member, int(row, c_int) - 1_c_int, found)
    if (status == 0) closure = lavoisier_global_closure(found%right_hand_side, found%before, found%after, &
      found%relative_before, found%relative_after, found%multiplier, found%columns, found%left_out)
    call conclude(status, stat, errmsg)
  end subroutine global_closure

  ! --- private -------------------------------------------------------------------------------------------------------

  function text_of(text) result(copy)
    type(c_ptr), intent(in) :: text
    character(:), allocatable :: copy
    character(kind=c_char), pointer :: letters(:)
    integer :: i
    if (.not. c_associated(text)) then
      copy = ""
      return
    end if
    call c_f_pointer(text, letters, [c_strlen(text)])
    allocate (character(size(letters)) :: copy)
    do i = 1, size(letters)
      copy(i:i) = letters(i)
    end do
  end function text_of

  !> Trailing blanks are no part of a Fortran name.
  pure function terminated(text) result(letters)
    character(*), intent(in) :: text
    character(kind=c_char, len=:), allocatable :: letters
    letters = trim(text)//c_null_char
  end function terminated

  !> A status of the C interface, with its message.
  subroutine conclude(status, stat, errmsg)
    integer(c_int), intent(in) :: status
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    if (present(stat)) stat = int(status)
    if (status /= 0) call complain(int(status), text_of(lav_last_error()), stat, errmsg)
  end subroutine conclude

  subroutine complain(status, message, stat, errmsg)
    integer, intent(in) :: status
    character(*), intent(in) :: message
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    if (present(errmsg)) errmsg = message
    if (present(stat)) then
      stat = status
    else
      write (error_unit, "(4a)") "lavoisier: ", lavoisier_status_name(status), ": ", message
      error stop 1
    end if
  end subroutine complain

  subroutine describe(model, input, index, variable, stat, errmsg)
    type(c_ptr), intent(in) :: model
    logical, intent(in) :: input
    integer, intent(in) :: index
    type(lavoisier_variable), intent(out) :: variable
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_variable_info) :: info
    integer(c_int) :: status
    call variable_info(model, input, index, info, status)
    if (status == 0) then
      variable%name = text_of(info%name)
      variable%units = text_of(info%units)
      variable%long_name = text_of(info%long_name)
      variable%elements = info%elements
      variable%minimum = info%minimum
      variable%maximum = info%maximum
    end if
    call conclude(status, stat, errmsg)
  end subroutine describe

  subroutine variable_info(model, input, index, info, status)
    type(c_ptr), intent(in) :: model
    logical, intent(in) :: input
    integer, intent(in) :: index
    type(c_variable_info), intent(out) :: info
    integer(c_int), intent(out) :: status
    info = c_variable_info(0_c_size_t, c_null_ptr, c_null_ptr, c_null_ptr, 0_c_int64_t, 0.0_c_double, 0.0_c_double)
    info%size = c_sizeof(info)
    if (input) then
      status = lav_model_input(model, int(index, c_size_t) - 1_c_size_t, info)
    else
      status = lav_model_output(model, int(index, c_size_t) - 1_c_size_t, info)
    end if
  end subroutine variable_info

  subroutine make_fields(fields, count)
    type(field_set), intent(inout) :: fields
    integer, intent(in) :: count
    fields%count = count
    allocate (fields%bound(count), fields%shown(count), fields%block_strides(count))
  end subroutine make_fields

  subroutine free_fields(fields)
    type(field_set), intent(inout) :: fields
    if (associated(fields%bound)) deallocate (fields%bound, fields%shown, fields%block_strides)
    fields%count = 0
  end subroutine free_fields

  !> The distance from one number to another, in numbers of `bytes` bytes.
  integer(c_int64_t) function distance(from, to, bytes)
    type(c_ptr), intent(in) :: from, to
    integer, intent(in) :: bytes
    distance = int((transfer(to, 0_c_intptr_t) - transfer(from, 0_c_intptr_t))/bytes, c_int64_t)
  end function distance

  !> Binds a placement to a variable: merges its dimensions into blocks of columns and one stride between elements.
  subroutine bind_field(self, input, name, at, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    logical, intent(in) :: input
    character(*), intent(in) :: name
    type(placement), intent(in) :: at
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_variable_info) :: info
    type(bound_field) :: field
    type(bound_field), pointer :: bound(:)
    character(4) :: letters
    character(:), allocatable :: known, what
    integer(c_int) :: status
    integer(c_int64_t) :: extent(2), stride(2)
    integer :: i, d, found, merged

    if (.not. c_associated(self%model)) then
      call complain(lavoisier_invalid_argument, "set_input or set_output: expected a created workspace or monitor", &
                    stat, errmsg)
      return
    end if
    if (input .and. .not. associated(self%inputs%bound)) then
      call complain(lavoisier_invalid_argument, "set_input: a monitor reads the inputs of the emulator's run", stat, &
                    errmsg)
      return
    end if
    if (input) then
      bound => self%inputs%bound
      what = "input '"//trim(name)//"': "
    else
      bound => self%outputs%bound
      what = "output '"//trim(name)//"': "
    end if
    found = 0
    known = ""
    do i = 1, size(bound)
      call variable_info(self%model, input, i, info, status)
      if (text_of(info%name) == trim(name)) then
        found = i
        exit
      end if
      known = known//" "//text_of(info%name)
    end do
    if (found == 0) then
      call complain(lavoisier_not_found, what//"the model has no such variable; it has"//known, stat, errmsg)
      return
    end if

    letters = repeat("c", at%rank)
    if (info%elements > 1) letters(at%rank:at%rank) = "e"
    if (present(layout)) then
      letters = layout
      if (len_trim(layout) /= at%rank .or. verify(trim(layout), "ce") /= 0) then
        call complain(lavoisier_invalid_argument, what//"layout: expected "//achar(iachar("0") + at%rank)// &
                      " letters c (columns) or e (elements), found '"//trim(layout)//"'", stat, errmsg)
        return
      end if
    end if
    if (present(units)) then
      if (len_trim(units) >= len(field%units)) then
        call complain(lavoisier_unit_mismatch, what//"units of more than "// &
                      decimal(int(longest_units, c_int64_t))//" letters: "//trim(units), stat, errmsg)
        return
      end if
      field%has_units = .true.
      field%units = terminated(units)
    end if

    ! Elements: one stride.
    call merge_dimensions(at, letters, "e", extent, stride, merged)
    if (merged > 1) then
      call complain(lavoisier_shape_mismatch, what//"no single stride leads through the dimensions of its elements "// &
                    "("//trim(letters)//"); pass a copy, or one whose elements are contiguous", stat, errmsg)
      return
    end if
    field%elements = extent(1)
    field%element_stride = stride(1)
    ! Columns: one stride, or two.
    call merge_dimensions(at, letters, "c", extent, stride, merged)
    if (merged > 2) then
      call complain(lavoisier_shape_mismatch, what//"no two strides lead through the dimensions of its columns ("// &
                    trim(letters)//")", stat, errmsg)
      return
    end if
    field%inner = extent(1)
    field%column_stride = stride(1)
    field%blocks = extent(2)
    field%block_stride = stride(2)
    do d = 1, at%rank
      if (at%extent(d) == 0 .and. letters(d:d) == "c") field%inner = 0
    end do
    field%data = at%data
    field%precision = at%precision
    field%given = .true.
    bound(found) = field
    if (present(stat)) stat = 0
  end subroutine bind_field

  !> The dimensions with this letter as few nested strides as they allow: (1) inside, (2) outside; `merged` counts all.
  pure subroutine merge_dimensions(at, letters, letter, extent, stride, merged)
    type(placement), intent(in) :: at
    character(*), intent(in) :: letters
    character, intent(in) :: letter
    integer(c_int64_t), intent(out) :: extent(2), stride(2)
    integer, intent(out) :: merged
    integer(c_int64_t) :: last_extent, last_stride
    integer :: d
    merged = 1
    extent = 1
    stride = 0
    last_extent = 1
    last_stride = 0
    do d = 1, at%rank
      if (letters(d:d) /= letter .or. at%extent(d) == 1) cycle
      if (last_extent == 1) then
        last_extent = at%extent(d)
        last_stride = at%stride(d)
      else if (at%stride(d) == last_extent*last_stride) then
        last_extent = last_extent*at%extent(d)
      else
        merged = merged + 1
        last_extent = at%extent(d)
        last_stride = at%stride(d)
      end if
      if (merged <= 2) then
        extent(merged) = last_extent
        stride(merged) = last_stride
      end if
    end do
  end subroutine merge_dimensions

  !> What C is shown of the bound fields. block_columns: 0 as long as no field has blocks. expected: columns of the
  !! fields so far (-1: none yet), all the same unless `given`. Fields that disagree are a failure, told in `message`.
  subroutine show(model, input, given, fields, block_columns, expected, shown, message)
    type(c_ptr), intent(in) :: model
    logical, intent(in) :: input, given
    type(field_set), intent(inout) :: fields
    integer(c_int64_t), intent(inout) :: block_columns, expected
    integer, intent(out) :: shown
    character(:), allocatable, intent(inout) :: message
    type(c_variable_info) :: info
    integer(c_int) :: status
    integer :: i
    shown = 0
    do i = 1, fields%count
      associate (field => fields%bound(i))
        if (.not. field%given) cycle
        shown = shown + 1
        call variable_info(model, input, i, info, status)
        if (field%blocks > 1 .and. block_columns > 0 .and. block_columns /= field%inner) then
          message = "'"//text_of(info%name)//"': blocks differ between fields: expected "//decimal(block_columns)// &
                    " columns a block, found "//decimal(field%inner)
          return
        end if
        if (field%blocks > 1) block_columns = field%inner
        if (expected < 0) expected = field%inner*field%blocks
        if (.not. given .and. expected /= field%inner*field%blocks) then
          message = "'"//text_of(info%name)//"': without columns= every field has the same number of them: "// &
                    "expected "//decimal(expected)//", found "//decimal(field%inner*field%blocks)
          return
        end if
        fields%shown(shown)%name = info%name
        fields%shown(shown)%units = c_null_ptr
        fields%shown(shown)%data = field%data
        fields%shown(shown)%precision = field%precision
        fields%shown(shown)%space = 0
        fields%shown(shown)%columns = field%inner*field%blocks
        fields%shown(shown)%elements = field%elements
        fields%shown(shown)%column_stride = field%column_stride
        fields%shown(shown)%element_stride = field%element_stride
        fields%block_strides(shown) = field%block_stride
      end associate
      if (fields%bound(i)%has_units) fields%shown(shown)%units = c_loc(fields%bound(i)%units)
    end do
  end subroutine show

  !> Fields without blocks, in a run with them.
  subroutine show_blocks(fields, block_columns)
    type(field_set), intent(inout) :: fields
    integer(c_int64_t), intent(in) :: block_columns
    integer :: i, shown
    shown = 0
    do i = 1, fields%count
      if (.not. fields%bound(i)%given) cycle
      shown = shown + 1
      if (fields%bound(i)%blocks == 1) &
        fields%block_strides(shown) = block_columns*fields%bound(i)%column_stride
    end do
  end subroutine show_blocks

  pure function decimal(number) result(text)
    integer(c_int64_t), intent(in) :: number
    character(:), allocatable :: text
    character(24) :: buffer
    write (buffer, "(i0)") number
    text = trim(buffer)
  end function decimal

  subroutine reserve(buffer, count)
    integer(c_int64_t), pointer, intent(inout) :: buffer(:)
    integer(c_int64_t), intent(in) :: count
    if (associated(buffer)) then
      if (size(buffer) >= count) return
      deallocate (buffer)
    end if
    allocate (buffer(max(count, 1_c_int64_t)))
  end subroutine reserve

  !> The arguments of a run of the workspace's fields. n, block_columns: columns (-1: not known) and columns a block (0:
  !! none) of other fields of the run, in; of all, out. What is wrong is told in `failure` and `message`.
  subroutine make_arguments(self, a, n, block_columns, failure, message, columns, step, member, first_column_id, &
                            column_ids, step_ids, active, mask, status)
    class(lavoisier_workspace), intent(inout) :: self
    type(c_run_arguments), intent(out) :: a
    integer(c_int64_t), intent(inout) :: n, block_columns
    integer, intent(out) :: failure
    character(:), allocatable, intent(inout) :: message
    integer, intent(in), optional :: columns
    integer(int64), intent(in), optional :: step, member, first_column_id, column_ids(:), step_ids(:)
    integer, intent(in), optional :: active(:), status(:)
    logical, intent(in), optional :: mask(:)
    integer :: inputs, outputs, i

    if (.not. c_associated(self%handle)) then
      failure = lavoisier_invalid_argument
      message = "run: expected a created workspace"
      return
    end if
    failure = lavoisier_shape_mismatch
    call show(self%model, .true., present(columns), self%inputs, block_columns, n, inputs, message)
    if (.not. allocated(message)) &
      call show(self%model, .false., present(columns), self%outputs, block_columns, n, outputs, message)
    if (allocated(message)) return
    failure = lavoisier_invalid_argument
    if (block_columns > 0) then
      call show_blocks(self%inputs, block_columns)
      call show_blocks(self%outputs, block_columns)
    end if
    if (present(columns)) n = int(columns, c_int64_t)
    n = max(n, 0_c_int64_t)
    call check_length("column_ids", column_ids, n, message)
    call check_length("step_ids", step_ids, n, message)
    if (present(columns)) then
      if (columns < 0) message = "columns: expected 0 or more, found "//decimal(int(columns, c_int64_t))
    end if
    if (present(mask)) then
      if (size(mask) < n) message = "mask: expected one entry a column ("//decimal(n)//"), found "// &
                                    decimal(size(mask, kind=c_int64_t))
    end if
    if (present(status)) then
      if (size(status) < n) message = "status: expected one entry a column ("//decimal(n)//"), found "// &
                                      decimal(size(status, kind=c_int64_t))
    end if
    if (allocated(message)) return

    a = c_run_arguments(0_c_size_t, -1_c_int64_t, c_null_ptr, c_null_ptr, c_null_ptr, int(inputs, c_size_t), &
                        c_null_ptr, int(outputs, c_size_t), n, c_null_ptr, 0_c_int64_t, 0_c_int64_t, c_null_ptr, &
                        0_c_int64_t, c_null_ptr, block_columns, c_null_ptr, c_null_ptr, c_null_ptr, c_null_ptr, &
                        0_c_int64_t, 0_c_int64_t, 1_c_int64_t, c_null_ptr)
    a%size = c_sizeof(a)
    if (inputs > 0) then
      a%inputs = c_loc(self%inputs%shown(1))
      a%input_block_strides = c_loc(self%inputs%block_strides(1))
    end if
    if (outputs > 0) then
      a%outputs = c_loc(self%outputs%shown(1))
      a%output_block_strides = c_loc(self%outputs%block_strides(1))
    end if
    if (present(step)) a%step = step
    if (present(member)) a%member = member
    if (present(first_column_id)) a%first_column_id = first_column_id
    if (present(column_ids)) then
      call reserve(self%column_ids, n)
      self%column_ids(1:n) = column_ids(1:n)
      a%column_ids = c_loc(self%column_ids(1))
    end if
    if (present(step_ids)) then
      call reserve(self%step_ids, n)
      self%step_ids(1:n) = step_ids(1:n)
      a%step_ids = c_loc(self%step_ids(1))
    end if
    if (present(active)) then
      a%active_count = size(active, kind=c_int64_t)
      call reserve(self%active, a%active_count)
      do i = 1, size(active)
        self%active(i) = int(active(i), c_int64_t) - 1
      end do
      a%active = c_loc(self%active(1))
    end if
    if (present(mask)) then
      if (associated(self%mask)) then
        if (size(self%mask) < n) deallocate (self%mask)
      end if
      if (.not. associated(self%mask)) allocate (self%mask(max(n, 1_c_int64_t)))
      self%mask(1:n) = merge(1_c_int8_t, 0_c_int8_t, mask(1:n))
      a%mask = c_loc(self%mask(1))
    end if
    if (present(status)) then
      if (associated(self%status)) then
        if (size(self%status) < n) deallocate (self%status)
      end if
      if (.not. associated(self%status)) allocate (self%status(max(n, 1_c_int64_t)))
      self%status(1:n) = int(status(1:n), c_int)
      a%status = c_loc(self%status(1))
    end if
  end subroutine make_arguments

  subroutine run_any(self, which, columns, step, member, first_column_id, column_ids, step_ids, active, mask, status, &
                     global, global_coefficients, global_weights, report, stat, errmsg)
    class(lavoisier_workspace), intent(inout) :: self
    integer, intent(in) :: which
    integer, intent(in), optional :: columns
    integer(int64), intent(in), optional :: step, member, first_column_id, column_ids(:), step_ids(:)
    integer, intent(in), optional :: active(:)
    logical, intent(in), optional :: mask(:)
    integer, intent(inout), optional :: status(:)
    type(lavoisier_global_laws), intent(in), optional :: global
    real(real64), intent(in), optional, target :: global_coefficients(:, :, :), global_weights(:)
    type(lavoisier_report), intent(out), optional :: report
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_run_arguments) :: a
    type(c_run_report) :: found
    character(:), allocatable :: message
    integer(c_int64_t) :: n, block_columns
    integer(c_int) :: failure
    integer :: refused

    block_columns = 0
    n = -1
    call make_arguments(self, a, n, block_columns, refused, message, columns, step, member, first_column_id, &
                        column_ids, step_ids, active, mask, status)
    if (allocated(message)) then
      call complain(refused, message, stat, errmsg)
      return
    end if
    if (present(global)) then
      a%global = global%handle
      call place_global(self%outputs_of_model, global%rows, n, a, global_coefficients, global_weights, message)
      if (allocated(message)) then
        call complain(lavoisier_shape_mismatch, message, stat, errmsg)
        return
      end if
    end if

    found = c_run_report(0_c_size_t, 0_c_int64_t, 0_c_int64_t, 0_c_int64_t, 0_c_int64_t, 0_c_int64_t)
    found%size = c_sizeof(found)
    select case (which)
    case (call_run)
      failure = lav_run(self%handle, a, found)
    case (call_run_mean)
      failure = lav_run_mean(self%handle, a, found)
    case (call_correct)
      failure = lav_correct(self%handle, a, found)
    case default
      failure = lav_correct_mean(self%handle, a, found)
    end select
    if (failure == 0) then
      if (present(status)) status(1:n) = int(self%status(1:n))
      if (present(report)) report = lavoisier_report(found%columns, found%non_finite, found%out_of_range, &
                                                     found%rank_deficient, found%invalid_argument)
    end if
    call conclude(failure, stat, errmsg)
  end subroutine run_any

  !> Where the rows of global laws lie, with their shapes checked.
  subroutine place_global(elements, rows, columns, a, coefficients, weights, message)
    integer(c_int64_t), intent(in) :: elements, columns
    integer, intent(in) :: rows
    type(c_run_arguments), intent(inout) :: a
    real(real64), intent(in), optional, target :: coefficients(:, :, :), weights(:)
    character(:), allocatable, intent(inout) :: message
    type(c_ptr) :: first
    if (columns == 0) return
    if (.not. present(coefficients)) then
      message = "global_coefficients: expected those of the global laws, found none"
      return
    end if
    if (size(coefficients, 1) /= elements .or. size(coefficients, 2) /= rows .or. &
        (size(coefficients, 3) < columns .and. size(coefficients, 3) /= 1)) then
      message = "global_coefficients: expected (elements, rows, columns) = ("//decimal(elements)//", "// &
                decimal(int(rows, c_int64_t))//", "//decimal(columns)//" or 1), found ("// &
                decimal(size(coefficients, 1, c_int64_t))//", "//decimal(size(coefficients, 2, c_int64_t))//", "// &
                decimal(size(coefficients, 3, c_int64_t))//")"
      return
    end if
    first = c_loc(coefficients(1, 1, 1))
    a%global_coefficients = first
    if (elements > 1) a%global_element_stride = distance(first, c_loc(coefficients(2, 1, 1)), 8)
    if (rows > 1) a%global_row_stride = distance(first, c_loc(coefficients(1, 2, 1)), 8)
    if (size(coefficients, 3) > 1) a%global_column_stride = distance(first, c_loc(coefficients(1, 1, 2)), 8)
    if (.not. present(weights)) return
    if (size(weights) < columns) then
      message = "global_weights: expected one a column ("//decimal(columns)//"), found "// &
                decimal(size(weights, kind=c_int64_t))
    else if (.not. is_contiguous_vector(weights)) then
      message = "global_weights: expected contiguous numbers"
    else
      a%global_weights = c_loc(weights(1))
    end if
  end subroutine place_global

  logical function is_contiguous_vector(values)
    real(real64), intent(in), target :: values(:)
    is_contiguous_vector = .true.
    if (size(values) > 1) is_contiguous_vector = distance(c_loc(values(1)), c_loc(values(2)), 8) == 1
  end function is_contiguous_vector

  subroutine check_length(name, values, columns, message)
    character(*), intent(in) :: name
    integer(int64), intent(in), optional :: values(:)
    integer(c_int64_t), intent(in) :: columns
    character(:), allocatable, intent(inout) :: message
    if (.not. present(values)) return
    if (size(values) < columns) message = name//": expected one a column ("//decimal(columns)//"), found "// &
                                          decimal(size(values, kind=c_int64_t))
  end subroutine check_length

  ! --- set_input and set_output for each kind and rank ---------------------------------------------------------------

  subroutine set_input_real32_1(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real32), intent(in), target :: field(:)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .true., name, place(field), units, layout, stat, errmsg)
  end subroutine set_input_real32_1

  subroutine set_input_real32_2(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real32), intent(in), target :: field(:, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .true., name, place(field), units, layout, stat, errmsg)
  end subroutine set_input_real32_2

  subroutine set_input_real32_3(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real32), intent(in), target :: field(:, :, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .true., name, place(field), units, layout, stat, errmsg)
  end subroutine set_input_real32_3

  subroutine set_input_real32_4(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real32), intent(in), target :: field(:, :, :, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .true., name, place(field), units, layout, stat, errmsg)
  end subroutine set_input_real32_4

  subroutine set_input_real64_1(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real64), intent(in), target :: field(:)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .true., name, place(field), units, layout, stat, errmsg)
  end subroutine set_input_real64_1

  subroutine set_input_real64_2(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real64), intent(in), target :: field(:, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .true., name, place(field), units, layout, stat, errmsg)
  end subroutine set_input_real64_2

  subroutine set_input_real64_3(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real64), intent(in), target :: field(:, :, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .true., name, place(field), units, layout, stat, errmsg)
  end subroutine set_input_real64_3

  subroutine set_input_real64_4(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real64), intent(in), target :: field(:, :, :, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .true., name, place(field), units, layout, stat, errmsg)
  end subroutine set_input_real64_4

  subroutine set_output_real32_1(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real32), intent(inout), target :: field(:)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .false., name, place(field), units, layout, stat, errmsg)
  end subroutine set_output_real32_1

  subroutine set_output_real32_2(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real32), intent(inout), target :: field(:, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .false., name, place(field), units, layout, stat, errmsg)
  end subroutine set_output_real32_2

  subroutine set_output_real32_3(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real32), intent(inout), target :: field(:, :, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .false., name, place(field), units, layout, stat, errmsg)
  end subroutine set_output_real32_3

  subroutine set_output_real32_4(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real32), intent(inout), target :: field(:, :, :, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .false., name, place(field), units, layout, stat, errmsg)
  end subroutine set_output_real32_4

  subroutine set_output_real64_1(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real64), intent(inout), target :: field(:)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .false., name, place(field), units, layout, stat, errmsg)
  end subroutine set_output_real64_1

  subroutine set_output_real64_2(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real64), intent(inout), target :: field(:, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .false., name, place(field), units, layout, stat, errmsg)
  end subroutine set_output_real64_2

  subroutine set_output_real64_3(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real64), intent(inout), target :: field(:, :, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .false., name, place(field), units, layout, stat, errmsg)
  end subroutine set_output_real64_3

  subroutine set_output_real64_4(self, name, field, units, layout, stat, errmsg)
    class(bound_fields), intent(inout) :: self
    character(*), intent(in) :: name
    real(real64), intent(inout), target :: field(:, :, :, :)
    character(*), intent(in), optional :: units, layout
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    call bind_field(self, .false., name, place(field), units, layout, stat, errmsg)
  end subroutine set_output_real64_4

  ! --- where an array lies --------------------------------------------------------------------------------------------

  function place_real32_1(field) result(at)
    real(real32), intent(in), target :: field(:)
    type(placement) :: at
    at%rank = 1
    at%precision = 1
    at%extent(:1) = shape(field, kind=c_int64_t)
    if (size(field) == 0) return
    at%data = c_loc(field(1))
    if (size(field, 1) > 1) at%stride(1) = distance(at%data, c_loc(field(2)), 4)
  end function place_real32_1

  function place_real32_2(field) result(at)
    real(real32), intent(in), target :: field(:, :)
    type(placement) :: at
    at%rank = 2
    at%precision = 1
    at%extent(:2) = shape(field, kind=c_int64_t)
    if (size(field) == 0) return
    at%data = c_loc(field(1, 1))
    if (size(field, 1) > 1) at%stride(1) = distance(at%data, c_loc(field(2, 1)), 4)
    if (size(field, 2) > 1) at%stride(2) = distance(at%data, c_loc(field(1, 2)), 4)
  end function place_real32_2

  function place_real32_3(field) result(at)
    real(real32), intent(in), target :: field(:, :, :)
    type(placement) :: at
    at%rank = 3
    at%precision = 1
    at%extent(:3) = shape(field, kind=c_int64_t)
    if (size(field) == 0) return
    at%data = c_loc(field(1, 1, 1))
    if (size(field, 1) > 1) at%stride(1) = distance(at%data, c_loc(field(2, 1, 1)), 4)
    if (size(field, 2) > 1) at%stride(2) = distance(at%data, c_loc(field(1, 2, 1)), 4)
    if (size(field, 3) > 1) at%stride(3) = distance(at%data, c_loc(field(1, 1, 2)), 4)
  end function place_real32_3

  function place_real32_4(field) result(at)
    real(real32), intent(in), target :: field(:, :, :, :)
    type(placement) :: at
    at%rank = 4
    at%precision = 1
    at%extent(:4) = shape(field, kind=c_int64_t)
    if (size(field) == 0) return
    at%data = c_loc(field(1, 1, 1, 1))
    if (size(field, 1) > 1) at%stride(1) = distance(at%data, c_loc(field(2, 1, 1, 1)), 4)
    if (size(field, 2) > 1) at%stride(2) = distance(at%data, c_loc(field(1, 2, 1, 1)), 4)
    if (size(field, 3) > 1) at%stride(3) = distance(at%data, c_loc(field(1, 1, 2, 1)), 4)
    if (size(field, 4) > 1) at%stride(4) = distance(at%data, c_loc(field(1, 1, 1, 2)), 4)
  end function place_real32_4

  function place_real64_1(field) result(at)
    real(real64), intent(in), target :: field(:)
    type(placement) :: at
    at%rank = 1
    at%precision = 0
    at%extent(:1) = shape(field, kind=c_int64_t)
    if (size(field) == 0) return
    at%data = c_loc(field(1))
    if (size(field, 1) > 1) at%stride(1) = distance(at%data, c_loc(field(2)), 8)
  end function place_real64_1

  function place_real64_2(field) result(at)
    real(real64), intent(in), target :: field(:, :)
    type(placement) :: at
    at%rank = 2
    at%precision = 0
    at%extent(:2) = shape(field, kind=c_int64_t)
    if (size(field) == 0) return
    at%data = c_loc(field(1, 1))
    if (size(field, 1) > 1) at%stride(1) = distance(at%data, c_loc(field(2, 1)), 8)
    if (size(field, 2) > 1) at%stride(2) = distance(at%data, c_loc(field(1, 2)), 8)
  end function place_real64_2

  function place_real64_3(field) result(at)
    real(real64), intent(in), target :: field(:, :, :)
    type(placement) :: at
    at%rank = 3
    at%precision = 0
    at%extent(:3) = shape(field, kind=c_int64_t)
    if (size(field) == 0) return
    at%data = c_loc(field(1, 1, 1))
    if (size(field, 1) > 1) at%stride(1) = distance(at%data, c_loc(field(2, 1, 1)), 8)
    if (size(field, 2) > 1) at%stride(2) = distance(at%data, c_loc(field(1, 2, 1)), 8)
    if (size(field, 3) > 1) at%stride(3) = distance(at%data, c_loc(field(1, 1, 2)), 8)
  end function place_real64_3

  function place_real64_4(field) result(at)
    real(real64), intent(in), target :: field(:, :, :, :)
    type(placement) :: at
    at%rank = 4
    at%precision = 0
    at%extent(:4) = shape(field, kind=c_int64_t)
    if (size(field) == 0) return
    at%data = c_loc(field(1, 1, 1, 1))
    if (size(field, 1) > 1) at%stride(1) = distance(at%data, c_loc(field(2, 1, 1, 1)), 8)
    if (size(field, 2) > 1) at%stride(2) = distance(at%data, c_loc(field(1, 2, 1, 1)), 8)
    if (size(field, 3) > 1) at%stride(3) = distance(at%data, c_loc(field(1, 1, 2, 1)), 8)
    if (size(field, 4) > 1) at%stride(4) = distance(at%data, c_loc(field(1, 1, 1, 2)), 8)
  end function place_real64_4

end module lavoisier
