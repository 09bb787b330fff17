#!/usr/bin/env node
import "../dist/h5Main.js";
