package dataplane

// What the tests of the package from outside say to an appliance in a process of its own, see TestMain.
const (
	MoodyNode  = moodyNode
	MoodySize  = moodySize
	MoodyFull  = moodyFull
	MoodyFiles = moodyFiles

	MoodWell  = moodWell
	MoodWrite = moodWrite
	MoodHalf  = moodHalf
	MoodSync  = moodSync
	MoodHang  = moodHang

	MoodFill    = moodFill
	MoodBallast = moodBallast
)
