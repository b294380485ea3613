#!/bin/sh
# Builds dist/labnet_VERSION_ARCH.deb: labnet with all it needs in /opt/labnet, the configuration in /etc/labnet, and the
# systemd unit. PYTHON is Debian's own, for the package runs with that one. From the checkout: make deb
set -eu
umask 022
cd "$(dirname "$0")/../.."

python=${PYTHON:-/usr/bin/python3}
work=build/deb
root=$work/root
version=$(sed -n 's/^version = //p' setup.cfg)
arch=$(dpkg --print-architecture)
series=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
date=$(sed -n "s/^## $version (\(.*\))$/\1/p" CHANGELOG.md)
# The time of all files, so that the same sources give the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(date -u -d "$date" +%s)}
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
maintainer="${DEBFULLNAME:-The labnet authors} <${DEBEMAIL:-labnet@$(hostname -f 2>/dev/null || hostname)}>"

[ -x "/usr/bin/$series" ] || { echo "make deb: $python is not Debian's: say PYTHON=/usr/bin/python3" >&2; exit 1; }

rm -rf "$work"
mkdir -p "$root/DEBIAN" "$root/etc/labnet" "$root/usr/bin" "$root/usr/lib/systemd/system" dist
doc=$root/usr/share/doc/labnet
mkdir -p "$doc" "$root/usr/share/lintian/overrides"

# The environment. It is made where it is not going to be; what names the place is written anew.
"$python" -m venv "$work/pip"
"/usr/bin/$series" -m venv --without-pip "$root/opt/labnet"
"$work/pip/bin/python" -m pip --python "$root/opt/labnet/bin/python" install -q --no-compile --no-warn-script-location \
    ".[all]"
here=$(pwd)/$root
grep -lI "$here" "$root"/opt/labnet/bin/* "$root/opt/labnet/pyvenv.cfg" | while read -r file; do
    [ -L "$file" ] || sed -i "s#$here##g" "$file"
done
# What nobody needs there: tests of the packages, other programs than these, bytecode, which postinst makes.
find "$root/opt/labnet/bin" ! -type d ! -name 'python*' ! -name labnet ! -name 'twist*' -delete
find "$root/opt/labnet/lib" \( -name __pycache__ -o -name test -o -name tests -o -name newsfragments \) -prune \
    -exec rm -r {} +
rm -f "$root"/opt/labnet/lib/python*/site-packages/*.dist-info/direct_url.json
rmdir "$root"/opt/labnet/include/* "$root/opt/labnet/include"
# twistd keeps what it found of plugins beside them, and nobody but root could write it there later.
"$root/opt/labnet/bin/python" -c 'from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))'
chmod 644 "$root"/opt/labnet/lib/python*/site-packages/twisted/plugins/dropin.cache
find "$root/opt/labnet/lib" -name '*.so*' -type f -exec strip --strip-unneeded {} +

# What Debian puts where it belongs.
share=$root/opt/labnet/share
mkdir -p "$root/usr/share/man/man1" "$root/usr/share/zsh/vendor-completions"
gzip -9n "$share"/man/man1/*
mv "$share"/man/man1/* "$root/usr/share/man/man1"
mv "$share/zsh/site-functions/_labnet" "$root/usr/share/zsh/vendor-completions"
mv "$share/bash-completion" "$share/fish" "$root/usr/share"
rm -r "$share/man" "$share/zsh"
ln -s /opt/labnet/bin/labnet "$root/usr/bin/labnet"
sed 's#^state = "var".*#state = "/var/lib/labnet"          \# what it learned; the unit makes the folder#' etc/labnet.toml \
    >"$root/etc/labnet/labnet.toml"
install -m 644 etc/ips.txt etc/parent.txt "$root/etc/labnet"
install -m 644 etc/labnet.service "$root/usr/lib/systemd/system"
install -m 644 etc/debian/copyright "$doc/copyright"
install -m 644 etc/debian/lintian-overrides "$root/usr/share/lintian/overrides/labnet"
gzip -9n <CHANGELOG.md >"$doc/CHANGELOG.md.gz"
printf 'labnet (%s) unstable; urgency=medium\n\n  * What is new is in CHANGELOG.md.gz beside this file.\n\n -- %s  %s\n' \
    "$version" "$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"

# The package itself.
(cd "$root" && find etc -type f | sed 's#^#/#' | sort) >"$root/DEBIAN/conffiles"
(cd "$root" && find etc opt usr -type f -exec md5sum {} + | sort -k 2) >"$root/DEBIAN/md5sums"
install -m 755 etc/debian/postinst etc/debian/prerm etc/debian/postrm "$root/DEBIAN"
size=$(du -sk --apparent-size "$root/opt" "$root/usr" "$root/etc" | awk '{ sum += $1 } END { print sum }')
sed -e "s#@version@#$version#; s#@arch@#$arch#; s#@python@#$series#; s#@size@#$size#; s#@maintainer@#$maintainer#" \
    etc/debian/control.in >"$root/DEBIAN/control"
# twistd believes its cache where it is newer than the plugins.
find "$root" ! -name dropin.cache -exec touch -h -d "@$((SOURCE_DATE_EPOCH - 1))" {} +
find "$root" -name dropin.cache -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb -Zxz -z3 --root-owner-group --build "$root" "dist/labnet_${version}_$arch.deb"
