"""One reader a dataset family. `registry` is the table of them; `frames.read_domain` reads and cleans one."""
