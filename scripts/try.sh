#!/bin/sh
# `make try`: what monzen makes of two logs. It only reads. English or Japanese, by the locale.
set -eu

cd "$(dirname "$0")/.."
monzen=${VENV:-.venv}/bin/monzen

case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
ja*)
    first='交代で門を叩く三つのアドレス（samples/first_user.log、実際のログ）'
    second='あるメールサーバーの一週間（samples/one_week.log、架空のログ）'
    ;;
*)
    first='Three addresses that take turns at the door (samples/first_user.log, a real one)'
    second='One week of a mail server (samples/one_week.log, made up)'
    ;;
esac

printf '\n== %s\n\n' "$first"
"$monzen" scan samples/first_user.log
printf '\n== %s\n\n' "$second"
"$monzen" scan samples/one_week.log
