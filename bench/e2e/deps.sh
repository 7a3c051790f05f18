#!/bin/sh
# Fetches what the end-to-end tests and the race detector need on a bare Debian: a C compiler, tshark, Perl's
# Net::SMPP and its TLS, Node and the npm package smpp, openssl, Kannel, and what makes hosts and networks of namespaces. What is there already is left alone; what cannot be had is told
# by name, and the run fails: a test that silently did not run proves nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

packages=
need() { # command package
	command -v "$1" >/dev/null 2>&1 || packages="$packages $2"
}
need gcc gcc
need tshark tshark
need node nodejs
need npm npm
need perl perl
need openssl openssl
need ip iproute2
need tc iproute2
need nft nftables
need nsenter util-linux
need mkfs.ext4 e2fsprogs
[ -x /usr/sbin/bearerbox ] || packages="$packages kannel"
[ -e /usr/include/stdio.h ] || packages="$packages libc6-dev"
perl -MNet::SMPP -e 1 >/dev/null 2>&1 || packages="$packages libnet-smpp-perl"
perl -MIO::Socket::SSL -e 1 >/dev/null 2>&1 || packages="$packages libio-socket-ssl-perl"

if [ -n "$packages" ]; then
	root=
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null 2>&1 || ! sudo -n true 2>/dev/null; then
			echo "make test needs these Debian packages, and root or passwordless sudo to install them:$packages" >&2
			exit 1
		fi
		root="sudo -n"
	fi
	echo "installing:$packages"
	export DEBIAN_FRONTEND=noninteractive
	if ! { $root apt-get update -qq && $root apt-get install -y -qq --no-install-recommends $packages; } >"$here/apt.log" 2>&1; then
		tail -5 "$here/apt.log" >&2
		echo "apt-get could not install:$packages" >&2
		exit 1
	fi
	rm -f "$here/apt.log"
fi

if [ ! -e "$here/node/node_modules/smpp/package.json" ]; then
	if ! (cd "$here/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error); then
		echo "npm could not install smpp as bench/e2e/node/package-lock.json names it; is a registry in reach?" >&2
		exit 1
	fi
fi
