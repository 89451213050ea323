#!/bin/sh
# ocf:digitalocean:floatip, as a user may have written it after the tutorial: start assigns the
# address to this droplet, stop does nothing, monitor asks the metadata service.
metadata=http://169.254.169.254/metadata/v1
api=http://203.0.113.1/v2/floating_ips

meta_data() {
    cat <<'XML'
<?xml version="1.0"?>
<resource-agent name="floatip" version="1.0">
<version>1.0</version>
<longdesc lang="en">Keeps a floating IP on the droplet where it runs.</longdesc>
<shortdesc lang="en">Floating IP</shortdesc>
<parameters>
<parameter name="do_token" required="1"><longdesc lang="en">API token</longdesc>
<shortdesc lang="en">API token</shortdesc><content type="string"/></parameter>
<parameter name="floating_ip" unique="1" required="1"><longdesc lang="en">The address</longdesc>
<shortdesc lang="en">The address</shortdesc><content type="string"/></parameter>
</parameters>
<actions>
<action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
<action name="monitor" timeout="20s" interval="10s"/><action name="meta-data" timeout="5s"/>
</actions>
</resource-agent>
XML
}

held() { [ "$(curl -s -m 5 $metadata/floating_ip/ipv4/active)" = true ]; }

case $1 in
meta-data) meta_data ;;
monitor | status) held || exit 7 ;;
stop) ;;
start)
    id=$(curl -s -m 5 $metadata/id) || exit 1
    # The token goes through a file descriptor, not the arguments, which everybody can read.
    curl -sf -m 10 -o /dev/null -H @- -d "{\"type\":\"assign\",\"droplet_id\":$id}" \
        "$api/$OCF_RESKEY_floating_ip/actions" <<HEADERS || exit 1
Authorization: Bearer $OCF_RESKEY_do_token
Content-Type: application/json
HEADERS
    ;;
*) exit 3 ;;
esac
