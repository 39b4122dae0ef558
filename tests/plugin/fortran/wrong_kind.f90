! A field that is no real: refused by the compiler.
program wrong_kind
  use lavoisier
  implicit none
  type(lavoisier_workspace) :: workspace
  integer, target :: field(3)
  field = 0
  call workspace%set_input("t", field)
end program wrong_kind
