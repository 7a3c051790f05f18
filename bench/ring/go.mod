module smsplane/bench/ring

go 1.26.0

require (
	github.com/puzpuzpuz/xsync/v4 v4.5.0
	smsplane v0.0.0
)

replace smsplane => ../..
