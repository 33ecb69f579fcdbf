module breakwater.io/tests/bench

go 1.19
