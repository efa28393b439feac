#!/bin/sh
# Build dist/monzen_VERSION_all.deb from this checkout with dpkg-deb: one package for Debian 12, 13 and Ubuntu 24.04.
#   VERSION=0.1.0  its version (default: that of pyproject.toml)   DIST=DIR  where it goes (default dist)
#   VENV=DIR       the Python that makes the manual (default .venv)
# The same checkout gives the same bytes: times are those of the last commit. Exit 0 done, 2 something is missing.
set -eu
cd "$(dirname "$0")/.."
umask 022

python=${VENV:-.venv}/bin/python
[ -x "$python" ] || python=python3
version=${VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 PYTHONPATH=src
command -v dpkg-deb >/dev/null || {
    echo "monzen: no dpkg-deb here: packages for Debian are built on Debian or Ubuntu" >&2
    exit 2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
share=$root/usr/share
doc=$share/doc/monzen
put() { install -D -m "$1" "$2" "$3"; }
zipped() { gzip -9n >"$1" && chmod 644 "$1"; }

# the program: a folder of its own, so that no other package can stand in its way
mkdir -p "$share/monzen"
(cd src && find monzen -type f \( -name '*.py' -o -name '*.mo' -o -name '*.css' -o -name '*.js' \) -exec cp --parents -t "$share/monzen" {} +)
chmod -R u=rwX,go=rX "$share/monzen"
mkdir "$share/monzen/monzen-$version.dist-info"
printf 'Metadata-Version: 2.1\nName: monzen\nVersion: %s\n' "$version" >"$share/monzen/monzen-$version.dist-info/METADATA"
put 755 packaging/debian/open-gate "$share/monzen/open-gate"
put 755 packaging/debian/monzen "$root/usr/bin/monzen"

# what systemd reads
for unit in packaging/systemd/*.service packaging/systemd/*.timer; do put 644 "$unit" "$root/usr/lib/systemd/system/${unit##*/}"; done
put 644 packaging/systemd/ufw.conf "$share/monzen/ufw.conf"
put 644 packaging/systemd/monzen.sysusers "$root/usr/lib/sysusers.d/monzen.conf"
put 644 packaging/systemd/monzen.tmpfiles "$root/usr/lib/tmpfiles.d/monzen.conf"

# what people read
mkdir -p "$share/man/man1" "$share/man/ja/man1" "$share/bash-completion/completions" "$doc"
LANGUAGE=en "$python" scripts/manual.py man | zipped "$share/man/man1/monzen.1.gz"
LANG=ja_JP.UTF-8 LANGUAGE=ja "$python" scripts/manual.py man | zipped "$share/man/ja/man1/monzen.1.gz"
"$python" scripts/manual.py completion >"$share/bash-completion/completions/monzen"
cp docs/*.md docs/policy.toml "$doc" # docs/README.md is the index; the README of the source is for who builds it
mkdir "$doc/howto" "$doc/ja" "$doc/ja/howto"
cp docs/howto/*.md "$doc/howto"
cp docs/ja/*.md "$doc/ja"
cp docs/ja/howto/*.md "$doc/ja/howto"
mkdir "$doc/grafana"
cp docs/grafana/* "$doc/grafana"
zipped "$doc/NEWS.gz" <CHANGELOG.md
{
    echo "monzen ($version) unstable; urgency=medium"
    printf '\n  * See NEWS.gz for what changed.\n\n'
    echo " -- The monzen authors <monzen@example.org>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | zipped "$doc/changelog.gz"
while IFS= read -r line; do
    if [ "$line" = @LICENSE@ ]; then
        sed -n '/^Permission/,$ { s/^$/./; s/^/ /; p; }' LICENSE
    else
        printf '%s\n' "$line"
    fi
done <packaging/debian/copyright >"$doc/copyright"
put 644 packaging/debian/lintian-overrides "$share/lintian/overrides/monzen"

# what dpkg reads
control=$root/DEBIAN
mkdir "$control"
sed -e "s/@VERSION@/$version/" -e "s/@SIZE@/$(du -k -s --apparent-size "$root/usr" | cut -f1)/" packaging/debian/control >"$control/control"
cp packaging/debian/triggers "$control/triggers"
for script in postinst prerm postrm; do
    while IFS= read -r line; do
        if [ "$line" = @FUNCTIONS@ ]; then cat packaging/debian/functions; else printf '%s\n' "$line"; fi
    done <"packaging/debian/$script" >"$control/$script"
    chmod 755 "$control/$script"
done
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$control/md5sums"
chmod -R go-w "$root"
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

dist=${DIST:-dist}
mkdir -p "$dist"
deb=$dist/monzen_${version}_all.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$deb" >/dev/null
echo "$deb"
