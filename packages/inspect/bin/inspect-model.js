#!/usr/bin/env node
import "../dist/modelMain.js";
