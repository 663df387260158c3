/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/econ/econ_int.h"
#include "econ/tariff.h"

#define VOLUME_MAX (((uint64_t)1 << 62) - 1)

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > VOLUME_MAX || b > VOLUME_MAX - a ? VOLUME_MAX : a + b;
}

void chain_meter_volume(chain *c, uint64_t amount, bool open)
{
    c->meter.volume = add_saturated(c->meter.volume, amount);
    if (open)
        c->meter.open_volume = add_saturated(c->meter.open_volume, amount);
}

err chain_tariff_collect(chain *c, const cr_address *payer, uint64_t tariff, uint32_t tx_index)
{
    if (tariff == 0)
        return OK;
    TRY(chain_purse_add(c, PURSE_TREASURY, tariff));
    c->meter.tariff_income = add_saturated(c->meter.tariff_income, tariff);
    chain_event_add(c, CHAIN_EVENT_TARIFF_COLLECTED, tx_index)->data.tariff_collected =
        (chain_event_tariff_collected){ .payer = *payer, .amount = tariff, .rate_bps = (uint64_t)economy(c)->tariff >> 32 };
    return OK;
}

err chain_treasury_income(chain *c, uint64_t amount)
{
    TRY(chain_purse_add(c, PURSE_TREASURY, amount));
    c->meter.other_income = add_saturated(c->meter.other_income, amount);
    return OK;
}

err chain_meter_block_end(chain *c, size_t producer)
{
    const chain_meter *m = &c->meter;
    chain_row_economy *e = economy_edit(c);
    TRY(checked_add_u64(&e->txs, e->txs, m->txs));
    e->volume = add_saturated(e->volume, m->volume);
    e->open_volume = add_saturated(e->open_volume, m->open_volume);
    /* Income saturates for the same reason as volumes: BLOCK may go round between the treasury and its donors. */
    e->tariff_income = add_saturated(e->tariff_income, m->tariff_income);
    e->other_income = add_saturated(e->other_income, m->other_income);
    chain_key key = chain_key_one((uint8_t)producer);
    chain_row_producer *row = chain_row_edit(c, CHAIN_TABLE_PRODUCER, &key);
    return checked_add_u64(&row->blocks, row->blocks, 1);
}

err chain_tariff_of(const chain *c, uint64_t *tariff, uint64_t amount)
{
    return econ_tariff_charge(tariff, amount, economy(c)->tariff, NULL);
}
