/// The version of the program.
let leaseholdVersion = "0.1.0"
