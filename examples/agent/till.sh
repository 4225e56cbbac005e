#!/usr/bin/env bash
# A till in bash with curl: sells, waits for the authority, voids.   till.sh path/to/journal/agent.sock
set -euo pipefail
socket=${1:-journal/agent.sock}
key="bash-$(date +%s)-$$"

# Takes a document; 201 or 200 means that it is safe on disk. Anything else is told and ends this.
take() {
    curl --silent --show-error --fail-with-body --unix-socket "$socket" \
        --retry 5 --retry-connrefused --header 'content-type: application/json' --data-binary "$1" \
        http://localhost/v1/documents
}

# Waits until a document is registered. Events carry their number, so a till that was off goes on where it was.
wait_registered() {
    local event follower
    exec 3< <(exec curl --silent --no-buffer --unix-socket "$socket" 'http://localhost/v1/events?after=0')
    follower=$!
    while IFS= read -r event <&3; do
        [[ $event == data:*"\"key\":\"$1\""*'"state":"registered"'* ]] && break
    done
    kill "$follower" 2>/dev/null || true
    exec 3<&-
}

take '{"key":"'"$key"'","kind":"receipt","account":"shop-roma","body":{"fiscal_id":"12345678903","items":[
  {"quantity":2,"description":"Caffè","unit_price":"1.20","vat_rate_code":"10"}],"cash_payment_amount":"2.40"}}'
wait_registered "$key"
echo "$key is registered"

take '{"key":"'"$key"'-void","kind":"void","parent":"'"$key"'"}'
wait_registered "$key-void"
echo "$key is voided"
