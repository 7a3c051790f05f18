// Package power holds no code of the appliance: its tests let a disk lose its power under the built appliance.
//
// The disk is a file served over FUSE by the test itself, under a loop device and ext4. Writes go to a volatile cache,
// which a flush empties; power goes off between any two requests of the kernel. What was flushed by then survives, and a
// random part of the sectors that were not, in an order of the disk's own. From then on every request fails, the
// appliance is killed, and everything is put together again from what survived: mount, replay, recovery, where the power
// may go off once more. (To stop the process and copy the image would hide the very fault looked for: the page cache
// outlives a process.)
//
// Meanwhile a client sends and carriers take, both outside, and both keep what they were told. In the end every message
// that was answered with status 0 must have reached a carrier or have a receipt, none may miss its receipt, and the
// store must check.
//
//	go test -tags power ./bench/power -v -timeout 30m             needs root, /dev/fuse and loop devices
//	go test -tags power ./bench/power -run Barrier -v             the sync does nothing: the same run must lose
package power
